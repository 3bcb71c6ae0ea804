using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ActorLlama.Runtime.Telemetry;

/// <summary>
/// What a node counts and times as it happens, under OpenTelemetry's conventions. Costs a test of a flag while nobody listens. Figures that exist anyway are observed instead, by
/// <see cref="NodeObservations"/>.
/// </summary>
internal sealed class NodeMetrics : IDisposable
{
    private static readonly KeyValuePair<string, object?> s_computed = new("actorllama.token.kind", "computed");
    private static readonly KeyValuePair<string, object?> s_sampled = new("actorllama.token.kind", "sampled");

    /// <summary>Seconds, from a layer on a small model to a prompt on a large one.</summary>
    private static readonly InstrumentAdvice<double> s_seconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    private readonly Counter<long> _tokens;
    private readonly Counter<long> _failovers;
    private readonly Counter<long> _shardMoves;
    private readonly Histogram<double> _batches;
    private readonly Histogram<double> _calls;
    private readonly Histogram<double> _gaps;

    public NodeMetrics()
    {
        _tokens = Meter.CreateCounter<long>("actorllama.tokens", "{token}", "Token positions that this node's schedulers had computed, and ids that were sampled");
        _failovers = Meter.CreateCounter<long>("actorllama.failovers", "{failover}", "Work that was given to another, by the role that was lost or did not answer");
        _shardMoves = Meter.CreateCounter<long>("actorllama.expert.shard.moves", "{shard}", "Replicas of expert shards that came to this node or left it");
        _batches = Meter.CreateHistogram("actorllama.batch.duration", "s", "From a batch's sending to stage 0 to its answer", tags: null, s_seconds);
        _calls = Meter.CreateHistogram("actorllama.expert.call.duration", "s", "From an expert call's sending to its answer", tags: null, s_seconds);
        _gaps = Meter.CreateHistogram("actorllama.session.token.gap", "s", "Between a session's tokens, whatever lay between", tags: null, s_seconds);
    }

    public Meter Meter { get; } = new(NodeTracing.Scope);

    public bool TimesBatches => _batches.Enabled;

    public bool TimesCalls => _calls.Enabled;

    public bool TimesGaps => _gaps.Enabled;

    public void Computed(int positions) => _tokens.Add(positions, s_computed);

    public void Sampled(int ids) => _tokens.Add(ids, s_sampled);

    /// <param name="role">Who was replaced: expert, scheduler or session.</param>
    public void FailedOver(string role) => _failovers.Add(1, new KeyValuePair<string, object?>("actorllama.role", role));

    /// <param name="direction">in or out.</param>
    public void ShardMoved(string direction) => _shardMoves.Add(1, new KeyValuePair<string, object?>("actorllama.direction", direction));

    public void BatchEnded(long startedAt, string? error) => Record(_batches, startedAt, error);

    public void CallEnded(long startedAt, string? error) => Record(_calls, startedAt, error);

    public void TokenCame(long lastAt) => Record(_gaps, lastAt, null);

    public void Dispose() => Meter.Dispose();

    private static void Record(Histogram<double> histogram, long startedAt, string? error)
    {
        if (!histogram.Enabled) return;
        var seconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        if (error is null) histogram.Record(seconds);
        else histogram.Record(seconds, new KeyValuePair<string, object?>("error.type", error));
    }
}
