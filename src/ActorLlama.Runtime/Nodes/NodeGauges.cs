namespace ActorLlama.Runtime.Nodes;

/// <summary>Figures that many actors of a node change and its offers report.</summary>
internal sealed class NodeGauges
{
    private long _stageTicks, _expertTicks;
    private int _sessions;

    public int Sessions => Volatile.Read(ref _sessions);

    /// <summary>Microseconds that stages have used their devices' threads.</summary>
    public long StageMicros => Micros(ref _stageTicks);

    public long ExpertMicros => Micros(ref _expertTicks);

    public void AddSession(int change) => Interlocked.Add(ref _sessions, change);

    /// <param name="ticks">Of <see cref="System.Diagnostics.Stopwatch"/>.</param>
    public void AddStageTime(long ticks) => Interlocked.Add(ref _stageTicks, ticks);

    public void AddExpertTime(long ticks) => Interlocked.Add(ref _expertTicks, ticks);

    private static long Micros(ref long ticks) =>
        (long)(Interlocked.Read(ref ticks) / (double)System.Diagnostics.Stopwatch.Frequency * 1e6);
}
