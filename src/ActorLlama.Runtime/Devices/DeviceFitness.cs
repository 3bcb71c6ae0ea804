namespace ActorLlama.Runtime.Devices;

/// <summary>
/// Whether a device can do what it is planned with. It cannot when it failed to load a part, for want of memory or because of its disk, or had too little memory for what it was to compute: once
/// may be one large batch, whose refusal is enough; three times within a minute say that it has less than was thought. Others may have had it for a while: after a minute without a fault
/// the device is fit again; each time it was not, after twice as long, up to an hour.
/// </summary>
internal sealed class DeviceFitness
{
    private const int TooOften = 3;
    private static readonly TimeSpan s_within = TimeSpan.FromMinutes(1), s_rest = TimeSpan.FromMinutes(1), s_longestRest = TimeSpan.FromHours(1);
    private readonly Queue<long> _times = [];
    private TimeSpan _rest = TimeSpan.Zero;
    private long _lastMs;
    private bool _isUnfit;

    /// <summary>It ran out just now. What to say of the device, once until it is fit again; null: nothing.</summary>
    public string? RanOut(string why, long nowMs)
    {
        _lastMs = nowMs;
        _times.Enqueue(nowMs);
        while (nowMs - _times.Peek() > s_within.TotalMilliseconds) _times.Dequeue();
        return _times.Count < TooOften ? null : Unfit($"it ran out of memory {TooOften} times within a minute while it computed: {why}");
    }

    /// <summary>It could not load a part just now. What to say of the device, as of <see cref="RanOut"/>.</summary>
    public string? CouldNotLoad(string why, long nowMs)
    {
        _lastMs = nowMs;
        return Unfit(why);
    }

    /// <summary>How long it must not fail from now on to be fit again; zero: it is.</summary>
    public TimeSpan RestLeft(long nowMs)
    {
        if (!_isUnfit) return TimeSpan.Zero;
        var left = _rest - TimeSpan.FromMilliseconds(nowMs - _lastMs);
        if (left > TimeSpan.Zero) return left;
        _isUnfit = false;
        _times.Clear();
        return TimeSpan.Zero;
    }

    private string? Unfit(string why)
    {
        if (_isUnfit) return null;
        _isUnfit = true;
        _rest = _rest == TimeSpan.Zero ? s_rest : TimeSpan.FromTicks(Math.Min(2 * _rest.Ticks, s_longestRest.Ticks));
        return why;
    }
}
