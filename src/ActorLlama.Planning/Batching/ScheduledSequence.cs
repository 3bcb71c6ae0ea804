using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>One incarnation of a sequence in its scheduler. Mutable: owned by one <see cref="SchedulerState"/>.</summary>
internal sealed class ScheduledSequence(
    SequenceId id, Rank rank, SchedulerProtocol.Submit submit, string replyKey, SchedulerOptions options, long now)
{
    private readonly int _maxPositions = options.MaxPositions;
    private readonly List<TokenLogProbs> _logProbs = [];

    public SequenceId Id { get; } = id;

    /// <summary>Kept by the session's later attempts.</summary>
    public Rank Rank { get; } = rank;

    public SchedulerProtocol.Submit Submit { get; } = submit;

    public string ReplyKey { get; set; } = replyKey;

    public long RenewedMs { get; set; } = now;

    public SequencePhase Phase { get; set; } = SequencePhase.Waiting;

    public List<int> Tokens { get; } = [.. submit.Tokens];

    /// <summary>Positions [0, Computed) have run.</summary>
    public int Computed { get; private set; }

    /// <summary>Number of the last batch it was in; 0 before the first.</summary>
    public long LastBatch { get; set; }

    public long KvPositions { get; } = AdmissionRules.KvPositions(submit.PromptLength, submit.MaxTokens, options.MaxPositions);

    public int Pending => Tokens.Count - Computed;

    /// <summary>The next <paramref name="count"/> rows, sampling if they reach the last known token.</summary>
    public StageProtocol.BatchRows Rows(int count)
    {
        var end = Computed + count;
        var logits = Submit.Logits switch
        {
            LogitsWanted.All => count,
            LogitsWanted.Generated => Math.Clamp(end - (Submit.PromptLength - 1), 0, count),
            _ => 0,
        };
        return end == Tokens.Count
            ? new(Id, Computed, count, Submit.Sampling, logits, Submit.Choice, Submit.LogProbs)
            : new(Id, Computed, count, null, logits);
    }

    public void HaveRun(StageProtocol.BatchRows rows) => Computed = rows.Start + rows.Count;

    /// <summary>How likely the token at a position was; null for tokens that were submitted, and when nobody asked.</summary>
    public TokenLogProbs? LogProbsAt(int position) => _logProbs.ElementAtOrDefault(position - Submit.Tokens.Length);

    /// <summary>Takes the id sampled for the next position; true when it is the last one.</summary>
    public bool Append(int id, TokenLogProbs? logProbs)
    {
        Tokens.Add(id);
        if (logProbs is not null)
            _logProbs.Add(logProbs);
        return Submit.StopIds.Contains(id)
            || Tokens.Count - Submit.PromptLength >= Submit.MaxTokens
            || Tokens.Count >= _maxPositions;
    }
}

internal enum SequencePhase
{
    /// <summary>Not let in yet; holds no KV.</summary>
    Waiting,

    /// <summary>Has rows for the next batch.</summary>
    Ready,
    InFlight,

    /// <summary>In flight, but nobody wants it: freed when its batch is over.</summary>
    Leaving,
}
