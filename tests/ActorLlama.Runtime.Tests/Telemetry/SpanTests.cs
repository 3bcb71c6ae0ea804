using System.Diagnostics;
using System.Diagnostics.Metrics;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Telemetry;

namespace ActorLlama.Runtime.Tests.Telemetry;

public sealed class SpanTests : IDisposable
{
    private readonly NodeMetrics _metrics = new();
    private readonly List<Activity> _ended = [];
    private readonly List<(string Name, object Value, string Tags)> _recorded = [];
    private IDisposable? _listener;

    public void Dispose()
    {
        _listener?.Dispose();
        _metrics.Dispose();
    }

    [Fact]
    public void While_nobody_listens_a_batch_travels_as_it_is()
    {
        var spans = new BatchSpans(_metrics);
        var run = Run(1);
        Assert.Same(run, spans.Begin(run));
        spans.End(run.Batch, null);
    }

    [Fact]
    public void A_batch_that_is_sampled_is_the_root_of_its_layers_and_calls_on_any_node()
    {
        Listen(ActivitySamplingResult.AllDataAndRecorded);
        var spans = new BatchSpans(_metrics);
        var sent = spans.Begin(Run(1));
        var layer = NodeTracing.Start("layer", NodeTracing.Context(sent.TraceParent)!.Value)!;
        var calls = new CallSpans(_metrics, layer.Context);
        calls.Begin(Call(0), 3, "there");
        calls.Begin(Call(1), 2, "elsewhere");
        calls.End(Call(0), null);
        calls.EndAll();
        NodeTracing.End(layer, null);
        spans.End(sent.Batch, null);
        Assert.Null(Activity.Current);
        Assert.Equal(["expert call", "expert call", "layer", "batch"], _ended.Select(a => a.OperationName));
        Assert.Single(_ended.Select(a => a.TraceId).Distinct());
        Assert.Equal(_ended[3].SpanId, _ended[2].ParentSpanId);
        Assert.All(_ended.Take(2), call => Assert.Equal(_ended[2].SpanId, call.ParentSpanId));
        Assert.Equal((ActivityStatusCode.Unset, ActivityStatusCode.Error), (_ended[0].Status, _ended[1].Status));
        Assert.Equal("no answer", _ended[1].GetTagItem("error.type"));
        Assert.Equal(default, _ended[3].ParentSpanId);
    }

    [Fact]
    public void A_batch_that_is_not_sampled_has_no_spans_anywhere()
    {
        Listen(ActivitySamplingResult.PropagationData);
        Assert.Null(new BatchSpans(_metrics).Begin(Run(1)).TraceParent);
    }

    [Fact]
    public void Another_attempt_ends_the_former_and_what_is_not_known_is_ignored()
    {
        Listen(ActivitySamplingResult.AllDataAndRecorded);
        var spans = new BatchSpans(_metrics);
        spans.Begin(Run(1));
        var second = spans.Begin(Run(1, attempt: 1));
        spans.End(Run(1).Batch, null);
        Assert.Equal("superseded", Assert.Single(_ended).GetTagItem("error.type"));
        spans.EndAll();
        Assert.Equal(second.Batch.Attempt, _ended[1].GetTagItem("actorllama.batch.attempt"));
    }

    [Fact]
    public void What_happens_is_counted_and_timed()
    {
        ListenToMetrics();
        var spans = new BatchSpans(_metrics);
        spans.Begin(Run(1));
        spans.End(Run(1).Batch, "Failed");
        var calls = new CallSpans(_metrics, layer: null);
        calls.Begin(Call(0, resend: 1), 3, "there");
        calls.End(Call(0, resend: 1), null);
        Assert.Equal(
            [("actorllama.tokens", "actorllama.token.kind=computed"), ("actorllama.batch.duration", "error.type=Failed"), ("actorllama.failovers", "actorllama.role=expert"), ("actorllama.expert.call.duration", "")],
            _recorded.Select(r => (r.Name, r.Tags)));
        Assert.Equal(3L, _recorded[0].Value);
    }

    private static StageProtocol.Run Run(long number, int attempt = 0) => new(
        new BatchId(1, number, attempt, 0), [], [1, 2, 3], [], new LaneTarget(new NodeId("a", 1), "/user/s", 1));

    private static CallId Call(int shard, int resend = 0) => new(new BatchId(1, 1, 0, 0), 2, shard, resend);

    private void Listen(ActivitySamplingResult result)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == NodeTracing.Scope,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => result,
            ActivityStopped = _ended.Add,
        };
        ActivitySource.AddActivityListener(listener);
        _listener = listener;
    }

    private void ListenToMetrics()
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == _metrics.Meter) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => _recorded.Add((i.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => _recorded.Add((i.Name, value, Text(tags))));
        listener.Start();
        _listener = listener;
    }

    private static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags) => string.Join(',', tags.ToArray().Select(t => $"{t.Key}={t.Value}"));
}
