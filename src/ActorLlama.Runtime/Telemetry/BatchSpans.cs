using System.Diagnostics;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Telemetry;

/// <summary>The batches that a scheduler has sent and not heard of, timed and as spans; of one actor.</summary>
internal sealed class BatchSpans(NodeMetrics metrics)
{
    private readonly Dictionary<long, (BatchId Batch, long StartedAt, Activity? Span)> _running = [];

    /// <summary>The message as it is to be sent. Another attempt at the same batch ends the former.</summary>
    public StageProtocol.Run Begin(StageProtocol.Run run)
    {
        metrics.Computed(run.Ids.Length);
        if (!metrics.TimesBatches && !NodeTracing.IsOn) return run;
        if (_running.TryGetValue(run.Batch.Number, out var former)) End(former.Batch, "superseded");
        var span = NodeTracing.Start("batch", default);
        span?.SetTag("actorllama.pipeline", run.Batch.Pipeline).SetTag("actorllama.batch.number", run.Batch.Number)
            .SetTag("actorllama.batch.attempt", run.Batch.Attempt).SetTag("actorllama.batch.rows", run.Ids.Length).SetTag("actorllama.batch.sequences", run.Sequences.Length);
        _running[run.Batch.Number] = (run.Batch, Stopwatch.GetTimestamp(), span);
        return run with { TraceParent = NodeTracing.Parent(span) };
    }

    /// <param name="batch">Whichever: those that are not known are ignored.</param>
    /// <param name="error">Why it failed, or null.</param>
    public void End(BatchId batch, string? error)
    {
        if (!_running.TryGetValue(batch.Number, out var running) || running.Batch != batch) return;
        _running.Remove(batch.Number);
        metrics.BatchEnded(running.StartedAt, error);
        NodeTracing.End(running.Span, error);
    }

    /// <summary>The scheduler ends, and with it what was on its way.</summary>
    public void EndAll()
    {
        foreach (var running in _running.Values.ToArray()) End(running.Batch, "scheduler ended");
    }
}
