using System.Diagnostics;

namespace ActorLlama.Kernels;

/// <summary>
/// How one thread waits for work before it sleeps: to fall asleep and to be woken costs some 40 µs, in which whoever gave the work waits. A thread whose last sleep was shorter than
/// half a millisecond watches for as long before the next; one that has slept longer goes to sleep at once, so an idle thread uses no CPU. It gives way to whoever wants its processor,
/// and where that took its processor for long, it sleeps for some time: a sleeper that is woken runs sooner than one that waits for its turn. For one thread.
/// </summary>
/// <param name="hasWork">Whether there is work, or nothing to wait for any more.</param>
/// <param name="spins">How often to look, some 150 ns each, whatever the last sleep was.</param>
public sealed class WatchfulWait(Func<bool> hasWork, int spins = 0)
{
    private const int SpinsForAYield = 16, SleepsAfterLongYield = 200;
    private static readonly TimeSpan s_short = TimeSpan.FromMicroseconds(500), s_longYield = TimeSpan.FromMicroseconds(100);

    /// <summary>Whether there is work, or nothing to wait for any more.</summary>
    public Func<bool> HasWork { get; } = hasWork;

    private bool _staysAwake;
    private int _mustSleep;
    private long _sleepsSince;

    /// <summary>Watches for as long as it is worth it. True: there is work; false: sleep now, between <see cref="FallAsleep"/> and <see cref="WakeUp"/>.</summary>
    public bool Watch()
    {
        for (var spin = 0; spin < spins; spin++)
        {
            if (HasWork()) return true;
            Thread.SpinWait(4);
        }

        var began = Stopwatch.GetTimestamp();
        for (var spin = 1; _staysAwake && Stopwatch.GetElapsedTime(began) < s_short; spin++)
        {
            if (HasWork()) return true;
            if (spin % SpinsForAYield == 0) Yield();
            else Thread.SpinWait(4);
        }

        return HasWork();
    }

    public void FallAsleep() => _sleepsSince = Stopwatch.GetTimestamp();

    public void WakeUp()
    {
        if (_mustSleep > 0) _mustSleep--;
        _staysAwake = _mustSleep == 0 && Stopwatch.GetElapsedTime(_sleepsSince) < s_short;
    }

    private void Yield()
    {
        var began = Stopwatch.GetTimestamp();
        Thread.Yield();
        if (Stopwatch.GetElapsedTime(began) < s_longYield) return;
        _staysAwake = false;
        _mustSleep = SleepsAfterLongYield;
    }
}
