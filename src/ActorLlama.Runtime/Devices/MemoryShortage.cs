namespace ActorLlama.Runtime.Devices;

/// <summary>
/// How often a device had too little memory for what it was to compute. Once may be one large batch, whose refusal is enough; three times within a minute say that the device has
/// less than it was planned with. Others may have had it for a while: after a minute in which it did not run out the device is fit again; each time it was not, after twice as long, up to an hour.
/// </summary>
internal sealed class MemoryShortage
{
    private const int TooOften = 3;
    private static readonly TimeSpan s_within = TimeSpan.FromMinutes(1), s_rest = TimeSpan.FromMinutes(1), s_longestRest = TimeSpan.FromHours(1);
    private readonly Queue<long> _times = [];
    private TimeSpan _rest = TimeSpan.Zero;
    private long _lastMs;
    private bool _isShort;

    /// <summary>It ran out just now. What to say of the device, once until it is fit again; null: nothing.</summary>
    public string? Count(string why, long nowMs)
    {
        _lastMs = nowMs;
        _times.Enqueue(nowMs);
        while (nowMs - _times.Peek() > s_within.TotalMilliseconds) _times.Dequeue();
        if (_isShort || _times.Count < TooOften) return null;
        _isShort = true;
        _rest = _rest == TimeSpan.Zero ? s_rest : TimeSpan.FromTicks(Math.Min(2 * _rest.Ticks, s_longestRest.Ticks));
        return $"it ran out of memory {TooOften} times within a minute while it computed: {why}";
    }

    /// <summary>How long it must not run out from now on to be fit again; zero: it is.</summary>
    public TimeSpan RestLeft(long nowMs)
    {
        if (!_isShort) return TimeSpan.Zero;
        var left = _rest - TimeSpan.FromMilliseconds(nowMs - _lastMs);
        if (left > TimeSpan.Zero) return left;
        _isShort = false;
        _times.Clear();
        return TimeSpan.Zero;
    }
}
