using System.Collections.Immutable;
using ActorLlama.Planning.Routing;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Telemetry;
using Akka.Actor;

namespace ActorLlama.Runtime.Stages;

/// <summary>
/// Groups a layer's rows by expert shard, sends them out, gathers the results by row index and retries; child of a stage, on its device's
/// thread. One state.
/// </summary>
internal sealed class ExpertRouter : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly NodeContext _node;
    private readonly NodeDevice _device;
    private readonly Dictionary<(BatchId Batch, int Layer), ExpertLayer> _layers = [];
    private readonly DeviceRows _given = new();
    private readonly Random _random = new();
    private RouteTable _routes;
    private LaneTarget _self;
    private long _tickedMs;

    public ExpertRouter(NodeContext node, NodeDevice device)
    {
        (_node, _device) = (node, device);
        _routes = new RouteTable(node.Self, node.Options.ExpertCalls.BusyMs);
    }

    public static Props Props(NodeContext node, NodeDevice device) => Akka.Actor.Props.Create(() => new ExpertRouter(node, device));

    private sealed record RetryTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _self = _node.Lane.Register(Self);
        _node.Board.Follow(Self, Context.System.EventStream);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case RouterProtocol.Dispatch dispatch: Dispatch(dispatch); break;
            case LaneEnvelope { Message: ExpertProtocol.Ran ran } envelope: Ran(ran, envelope.Payload); break;
            case LaneEnvelope { Message: ExpertProtocol.Refused refused }: Refused(refused.Call, refused.Reason, refused.Message); break;
            case LaneFailed { Message: ExpertProtocol.Run run } failed: Refused(run.Call, Meaning(failed.Reason), $"{failed.Reason} {failed.Detail}"); break;
            case LaneEnvelope { Message: PulseProtocol.Pulse { IsBusy: true } pulse }: AtWork(pulse.Device); break;
            case LaneEnvelope { Message: PulseProtocol.Pulse }: break; // The deadlines go on.
            case LaneFailed { Message: PulseProtocol.Ask }: break; // As if it had not answered.
            case RoutesChanged changed: ChangeRoutes(changed.Routes); break;
            case RetryTick: Tick(); break;
            case RouterProtocol.Forget forget: Forget(forget.Batch); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        _node.Lane.Unregister(_self);
        Forget(null);
    }

    private void Dispatch(RouterProtocol.Dispatch dispatch)
    {
        var plan = _node.Board.Plan;
        var shards = new ExpertShards(_node.Model.Config.Experts, Math.Max(1, plan.ExpertShards));
        var groups = TokenGrouping.Group(dispatch.Routing.Experts, shards);
        var calls = new ExpertCallState(dispatch.Batch, dispatch.Layer, groups, _node.Options.ExpertCalls, _node.NowMs, plan.Epoch, _given, _random);
        var key = (dispatch.Batch, dispatch.Layer);
        _layers.Add(key, new ExpertLayer(dispatch.Routing, calls, new CallSpans(_node.Gauges.Metrics, dispatch.Span)));
        if (!Timers.IsTimerActive(nameof(RetryTick))) StartTicking();
        Perform(key, calls.Start(_routes, _node.NowMs), null);
        Context.Parent.Tell(new RouterProtocol.Dispatched(dispatch.Batch, dispatch.Layer));
    }

    /// <summary>The tick ends itself when it finds nothing to do: a layer is too short to start and end a timer for.</summary>
    private void StartTicking()
    {
        _tickedMs = _node.NowMs;
        Timers.StartPeriodicTimer(nameof(RetryTick), new RetryTick(), s_tick);
    }

    private void Ran(ExpertProtocol.Ran ran, Payload? payload)
    {
        using (payload)
        {
            var key = (ran.Call.Batch, ran.Call.Layer);
            if (!_layers.TryGetValue(key, out var layer)) return;
            layer.Spans.End(ran.Call, null);
            Perform(key, layer.Calls.Ran(ran.Call), payload);
        }
    }

    private void Refused(CallId call, RefusalReason reason, string why)
    {
        var key = (call.Batch, call.Layer);
        if (!_layers.TryGetValue(key, out var layer)) return;
        layer.Spans.End(call, reason.ToString());
        Perform(key, layer.Calls.Refused(call, reason, why, _routes, _node.NowMs), null);
    }

    /// <summary>A connection that ends takes down what was under way on it: the rows may be why.</summary>
    private static RefusalReason Meaning(LaneFailure reason) => reason == LaneFailure.ConnectionLost ? RefusalReason.Poisonous : RefusalReason.Failed;

    private void ChangeRoutes(NodeProtocol.Routes routes)
    {
        var known = _routes;
        _routes = _routes.With(routes);
        if (!ReferenceEquals(known, _routes)) _given.Clear();
        foreach (var (key, layer) in _layers.ToArray()) Perform(key, layer.Calls.RoutesChanged(_routes, _node.NowMs), null);
    }

    private void AtWork(LaneTarget device)
    {
        foreach (var (key, layer) in _layers.ToArray()) Perform(key, layer.Calls.AtWork(device, _node.NowMs), null);
    }

    private void Tick()
    {
        if (_layers.Count == 0)
        {
            Timers.Cancel(nameof(RetryTick));
            return;
        }

        var now = _node.NowMs;
        var wasDeaf = now - _tickedMs > 4 * s_tick.TotalMilliseconds;
        _tickedMs = now;
        foreach (var (key, layer) in _layers.ToArray())
            if (wasDeaf) layer.Calls.WasDeaf(now);
            else Perform(key, layer.Calls.Tick(_routes, now), null);
    }

    /// <summary>Too little memory for rows on their way to experts or back loses their batch, not those of others.</summary>
    private void Perform((BatchId Batch, int Layer) key, ImmutableArray<ExpertCallEffect> effects, Payload? payload)
    {
        try
        {
            PerformAll(key, effects, payload);
        }
        catch (Exception e) when (DeviceFaults.IsOutOfMemory(e))
        {
            Remove(key)?.Dispose();
            Context.Parent.Tell(new RouterProtocol.RanOut(key.Batch, e.Message));
        }
    }

    private void PerformAll((BatchId Batch, int Layer) key, ImmutableArray<ExpertCallEffect> effects, Payload? payload)
    {
        foreach (var effect in effects)
            switch (effect)
            {
                case ExpertCallEffect.Send send: Send(_layers[key], send); break;
                case ExpertCallEffect.Place place: Place(_layers[key], place, payload!); break;
                case ExpertCallEffect.MarkFailed failed: _routes = _routes.Fail(failed.Target, _node.NowMs, _random); break;
                case ExpertCallEffect.Complete: Complete(key); break;
                case ExpertCallEffect.Ask ask: _node.Lane.Send(ask.Device, LaneClass.Control, new PulseProtocol.Ask(_self), null, null, Self); break;
                case ExpertCallEffect.Alive: Context.Parent.Tell(new RouterProtocol.Alive(key.Batch)); break;
                case ExpertCallEffect.Fail fail:
                    Remove(key)?.Dispose();
                    Context.Parent.Tell(new RouterProtocol.Lost(key.Batch, key.Layer, fail.Reason, fail.Message));
                    break;
                case ExpertCallEffect.Ignore: break; // The payload is disposed by who opened the envelope.
            }
    }

    private void Send(ExpertLayer layer, ExpertCallEffect.Send send)
    {
        var rows = _device.Backend.TakeRows(layer.Scaled, send.Group.Rows.AsSpan());
        var payload = Rows.ToPayload(_device.Backend, rows, _node.Lane, send.Route.Target);
        layer.Spans.Begin(send.Call, send.Group.Rows.Length, send.Route.Target.Node.Address);
        _node.Lane.Send(send.Route.Target, LaneClass.Request, send.ToMessage(), payload, _self, Self);
    }

    private void Place(ExpertLayer layer, ExpertCallEffect.Place place, Payload payload)
    {
        var part = Rows.Open(_device.Backend, payload, _node.Model.Config.HiddenSize);
        layer.Place(part, [.. place.Rows]);
        if (part.Rows != place.Rows.Length)
            throw new MessageFormatException($"Router: {part.Rows} rows came back for {place.Rows.Length} that were sent.");
    }

    private void Complete((BatchId Batch, int Layer) key)
    {
        using var layer = Remove(key)!;
        Context.Parent.Tell(new RouterProtocol.Gathered(key.Batch, key.Layer, layer.Gather(_device.Backend)));
    }

    private void Forget(BatchId? batch)
    {
        foreach (var key in _layers.Keys.Where(k => batch is null || k.Batch == batch).ToArray()) Remove(key)?.Dispose();
    }

    private ExpertLayer? Remove((BatchId, int) key) => _layers.Remove(key, out var layer) ? layer : null;
}
