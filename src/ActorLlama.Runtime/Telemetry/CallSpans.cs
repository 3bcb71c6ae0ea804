using System.Diagnostics;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Telemetry;

/// <summary>The expert calls of one layer of one batch, timed and as spans of that layer; of one actor.</summary>
internal sealed class CallSpans(NodeMetrics metrics, ActivityContext? layer)
{
    private Dictionary<CallId, (long StartedAt, Activity? Span)>? _running;

    public void Begin(CallId call, int rows, string target)
    {
        if (call.Resend > 0) metrics.FailedOver("expert");
        if (!metrics.TimesCalls && layer is null) return;
        var span = layer is { } parent ? NodeTracing.Start("expert call", parent) : null;
        span?.SetTag("actorllama.layer", call.Layer).SetTag("actorllama.expert.shard", call.Shard).SetTag("actorllama.expert.resend", call.Resend)
            .SetTag("actorllama.batch.rows", rows).SetTag("server.address", target);
        (_running ??= [])[call] = (Stopwatch.GetTimestamp(), span);
    }

    public void End(CallId call, string? error)
    {
        if (_running is null || !_running.Remove(call, out var running)) return;
        metrics.CallEnded(running.StartedAt, error);
        NodeTracing.End(running.Span, error);
    }

    /// <summary>The layer is over: what did not answer will not be listened to.</summary>
    public void EndAll()
    {
        foreach (var call in _running?.Keys.ToArray() ?? []) End(call, "no answer");
    }
}
