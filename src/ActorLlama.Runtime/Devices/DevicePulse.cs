using System.Diagnostics;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// Whether a device's one thread is at work: it computes now, or did so a moment ago, for between two pieces of work it looks idle. One piece
/// that takes longer than <paramref name="stuckAfter"/> is no work any more. Written on that thread, read by any.
/// </summary>
internal sealed class DevicePulse(TimeSpan stuckAfter)
{
    private static readonly TimeSpan s_recent = TimeSpan.FromMilliseconds(500);
    private long _since, _until;

    /// <param name="timestamp">Of <see cref="Stopwatch"/>.</param>
    public void Begin(long timestamp) => Volatile.Write(ref _since, timestamp);

    public void End(long timestamp)
    {
        Volatile.Write(ref _until, timestamp);
        Volatile.Write(ref _since, 0);
    }

    public bool IsBusy(long timestamp) => Volatile.Read(ref _since) is > 0 and var since
        ? Stopwatch.GetElapsedTime(since, timestamp) < stuckAfter
        : Volatile.Read(ref _until) is > 0 and var until && Stopwatch.GetElapsedTime(until, timestamp) < s_recent;
}
