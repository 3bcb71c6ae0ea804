using System.Collections.Concurrent;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Telemetry;

namespace ActorLlama.Runtime.Nodes;

/// <summary>Figures that many actors of a node change and its offers report.</summary>
internal sealed class NodeGauges
{
    private readonly ConcurrentDictionary<int, NodeProtocol.PipelineLoad> _pipelines = [];
    private long _stageTicks, _expertTicks;
    private int _sessions;

    /// <summary>What is counted for telemetry as it happens.</summary>
    public NodeMetrics Metrics { get; } = new();

    /// <summary>The pipelines whose scheduler is on this node, as it last told.</summary>
    public IEnumerable<NodeProtocol.PipelineLoad> Pipelines => _pipelines.Values;

    public int Sessions => Volatile.Read(ref _sessions);

    /// <summary>Microseconds that stages have used their devices' threads.</summary>
    public long StageMicros => Micros(ref _stageTicks);

    public long ExpertMicros => Micros(ref _expertTicks);

    public void Report(NodeProtocol.PipelineLoad load) => _pipelines[load.Pipeline] = load;

    /// <summary>The scheduler has ended; a later one of that pipeline may have reported already.</summary>
    public void Retire(int pipeline, long epoch)
    {
        if (_pipelines.TryGetValue(pipeline, out var load) && load.Epoch == epoch) _pipelines.TryRemove(new(pipeline, load));
    }

    public void AddSession(int change) => Interlocked.Add(ref _sessions, change);

    /// <param name="ticks">Of <see cref="System.Diagnostics.Stopwatch"/>.</param>
    public void AddStageTime(long ticks) => Interlocked.Add(ref _stageTicks, ticks);

    public void AddExpertTime(long ticks) => Interlocked.Add(ref _expertTicks, ticks);

    private static long Micros(ref long ticks) =>
        (long)(Interlocked.Read(ref ticks) / (double)System.Diagnostics.Stopwatch.Frequency * 1e6);
}
