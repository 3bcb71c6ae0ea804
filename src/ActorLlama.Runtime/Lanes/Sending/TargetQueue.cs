namespace ActorLlama.Runtime.Lanes;

/// <summary>What waits for one target in one class, and the credit in use. Guarded by the lock of its <see cref="SendQueue"/>.</summary>
internal sealed class TargetQueue
{
    public Queue<Outgoing> Waiting { get; } = new();

    public long WaitingBytes { get; set; }

    public int SentMessages { get; set; }

    public long SentBytes { get; set; }

    public int Unanswered { get; set; }

    /// <summary>The actor has ended; a request whose credit comes back will not be answered.</summary>
    public bool IsEnded { get; set; }

    /// <summary>In its class's round of targets that can send.</summary>
    public bool IsInRound { get; set; }

    public bool IsIdle => Waiting.Count == 0 && SentMessages == 0 && Unanswered == 0 && !IsInRound;
}
