using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Saving;
using Akka.Actor;

namespace ActorLlama.Runtime.Experts;

/// <summary>
/// The weights of one replica of one expert shard; computes rows. On its device's thread.
/// Loading -> Serving; it ends when its device is told to drop it.
/// </summary>
internal sealed class ExpertActor : DeviceWorker
{
    private readonly NodeContext _node;
    private readonly NodeDevice _device;
    private readonly ShardPlacement _placement;
    private readonly WorkCounter _work;
    private LaneTarget? _self;
    private WeightLoad<ExpertGroup>? _load;
    private PartWrite? _writing;
    private ExpertGroup? _group;

    public ExpertActor(NodeContext node, NodeDevice device, ShardPlacement placement)
        : base(device, node.Gauges.AddExpertTime) =>
        (_node, _device, _placement, _work) =
            (node, device, placement, new WorkCounter(node.Model.Config.IsMoe, placement.FirstExpert, placement.Experts));

    public static Props Props(NodeContext node, NodeDevice device, ShardPlacement placement) =>
        Akka.Actor.Props.Create(() => new ExpertActor(node, device, placement));

    protected override void PreStart() => _load = WeightLoad<ExpertGroup>.Start(
        _device.Loader, Self, _node.Time, _node.Model.AllowNaN,
        loading => ExpertGroup.Load(_device.Backend, _node.Model.Config, _placement.FirstExpert, _placement.Experts, _node.Model.Checkpoint, loading), Report);

    protected override void OnReceive(object message) => Loading(message);

    private void Loading(object message)
    {
        switch (message)
        {
            case LoadMessage load: Serve(_load!.Receive(load)); break;
            case PartProtocol.Write write: Sender.Tell(new PartProtocol.Failed(write.Folder, write.Part, "it is still loading")); break;
            case LaneEnvelope { Message: ExpertProtocol.Run run } envelope: Refuse(envelope, run, RefusalReason.Loading, "still loading"); break;
            default: Unhandled(message); break;
        }
    }

    private void Serving(object message)
    {
        switch (message)
        {
            case LaneEnvelope { Message: ExpertProtocol.Run run } envelope when run.RouteEpoch != _placement.Epoch:
                Refuse(envelope, run, RefusalReason.Stale, $"serves epoch {_placement.Epoch}, was asked for {run.RouteEpoch}");
                break;
            case LaneEnvelope { Message: ExpertProtocol.Run run } envelope when _group!.Unfit(run.Call.Layer, run.Experts.AsSpan()) is { } why:
                Refuse(envelope, run, RefusalReason.Stale, why);
                break;
            case LaneEnvelope { Message: ExpertProtocol.Run run } envelope: Compute(envelope, run); break;
            case PartProtocol.Write write: Write(write); break;
            case LaneFailed: break; // The router's deadline covers an answer that could not be sent.
            default: Unhandled(message); break;
        }
    }

    /// <summary>The call that was being computed is not lost in silence: its device would look busy with others.</summary>
    protected override void PreRestart(Exception reason, object message)
    {
        if (message is LaneEnvelope { Message: ExpertProtocol.Run run } envelope) Refuse(envelope, run, RefusalReason.Failed, $"failed: {reason.Message}");
        base.PreRestart(reason, message);
    }

    protected override void PostStop()
    {
        if (_self is { } self) _node.Lane.Unregister(self);
        _load?.Dispose();
        _writing?.Dispose();
        if (_group is { } group) _device.Loader.Free(group);
        _group = null;
    }

    private void Serve(ExpertGroup? group)
    {
        if (group is null) return;
        _group = group;
        Rehearse(group, rows: 1);
        Rehearse(group, rows: 8);
        _self = _node.Lane.Register(Self);
        Become(Serving);
        Report(_group.Bytes, null);
    }

    /// <summary>What runs for the first time is compiled first: here, rather than in a replica's first call, which a session waits for.</summary>
    private void Rehearse(ExpertGroup group, int rows)
    {
        var config = _node.Model.Config;
        var bytes = rows * _device.Backend.RowBytes(config.HiddenSize);
        var payload = BytesPayload.Rent(bytes);
        payload.Memory.Span.Clear();
        using var input = Rows.Open(_device.Backend, payload, config.HiddenSize);
        using var output = group.Run(Enumerable.Range(0, config.Layers).First(layer => config.IsMoe[layer]), input, Enumerable.Repeat(group.First, rows).ToArray());
        using var answer = BytesPayload.Rent(bytes);
        _device.Backend.Write(output, answer.Memory.Span);
    }

    private void Write(PartProtocol.Write write)
    {
        var group = _group!;
        _writing = PartWrite.Start(_device, write, Sender, _node.Time, () => PartContents.OfExperts(group));
    }

    /// <summary>Too little memory refuses the call; the weights stay. Where it is so again and again, the device says so.</summary>
    private void Compute(LaneEnvelope envelope, ExpertProtocol.Run run)
    {
        try
        {
            Answer(envelope, run);
        }
        catch (Exception e) when (DeviceFaults.IsOutOfMemory(e))
        {
            Context.Parent.Tell(new DeviceProtocol.RanOut(e.Message));
            Refuse(envelope, run, RefusalReason.Failed, $"is out of memory: {e.Message}");
        }
    }

    private void Answer(LaneEnvelope envelope, ExpertProtocol.Run run)
    {
        using var rows = Rows.Open(_device.Backend, envelope.Payload!, _node.Model.Config.HiddenSize);
        var results = _group!.Run(run.Call.Layer, rows, run.Experts.AsSpan());
        _work.Add(run.Call.Layer, run.Experts.AsSpan());
        Answer(envelope, new ExpertProtocol.Ran(run.Call), Rows.ToPayload(_device.Backend, results, _node.Lane, envelope.ReplyTo!.Value));
    }

    private void Refuse(LaneEnvelope envelope, ExpertProtocol.Run run, RefusalReason reason, string why)
    {
        envelope.Payload?.Dispose();
        Answer(envelope, new ExpertProtocol.Refused(run.Call, reason, $"expert shard {_placement.Shard}-{_placement.Replica} {why}"), null);
    }

    private void Answer(LaneEnvelope envelope, ILaneMessage answer, Payload? payload) =>
        _node.Lane.Send(envelope.ReplyTo!.Value, LaneClass.Response, answer, payload, null, Self);

    private void Report(long loadedBytes, LoadFault? fault) => Context.Parent.Tell(new DeviceProtocol.ShardHeld(
        new(_placement.Epoch, _placement, _self, loadedBytes, _work.Rows, fault?.Message, null, fault is { IsOfDevice: true }), _work));
}
