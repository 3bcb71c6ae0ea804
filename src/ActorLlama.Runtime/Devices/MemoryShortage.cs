namespace ActorLlama.Runtime.Devices;

/// <summary>
/// How often a device had too little memory for what it was to compute. Once may be one large batch, whose refusal is enough; three times within a minute say that the device has
/// less than it was planned with.
/// </summary>
internal sealed class MemoryShortage
{
    private const int TooOften = 3;
    private static readonly TimeSpan s_within = TimeSpan.FromMinutes(1);
    private readonly Queue<long> _times = [];
    private bool _isTold;

    /// <summary>It ran out just now. What to say of the device, once; null: nothing.</summary>
    public string? Count(string why, long nowMs)
    {
        _times.Enqueue(nowMs);
        while (nowMs - _times.Peek() > s_within.TotalMilliseconds) _times.Dequeue();
        if (_isTold || _times.Count < TooOften) return null;
        _isTold = true;
        return $"it ran out of memory {TooOften} times within a minute while it computed: {why}";
    }
}
