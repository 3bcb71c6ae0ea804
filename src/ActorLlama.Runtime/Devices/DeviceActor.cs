using System.Diagnostics;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Experts;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Saving;
using ActorLlama.Runtime.Stages;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// Parent of everything that computes on one device; runs on the default dispatcher, so it answers while the device is busy. Holds the
/// stages that its node's plan names and the expert shards that their owners claim. One state.
/// </summary>
internal sealed class DeviceActor(NodeContext node, NodeDevice device) : UntypedActor, IWithTimers
{
    private readonly Dictionary<(int Pipeline, int Index), (StagePlacement Placement, IActorRef Actor)> _stages = [];
    private readonly Dictionary<(int Shard, int Replica), (ShardPlacement Placement, IActorRef Actor)> _shards = [];
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<IActorRef, object> _told = [];
    private readonly DeviceFitness _fitness = new();
    private LaneTarget _self;
    private int _created;

    public static Props Props(NodeContext node, NodeDevice device) => Akka.Actor.Props.Create(() => new DeviceActor(node, device));

    private sealed record RestTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _self = node.Lane.Register(Self);
        if (node.Training is { } training) Context.ActorOf(training.Host(node, device), NodeTraining.HostName);
    }

    protected override void PostStop() => node.Lane.Unregister(_self);

    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(3, TimeSpan.FromMinutes(1), DeviceFaults.Decide);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case DeviceProtocol.HoldStages hold: HoldStages(hold); break;
            case DeviceProtocol.HoldShard hold: HoldShard(hold.Placement); break;
            case DeviceProtocol.DropShard drop: DropShard((drop.Shard, drop.Replica)); break;
            case PartProtocol.Write write: WritePart(write); break;
            case DeviceProtocol.StageHeld held: Tell(held with { Stage = held.Stage with { Device = _self } }, held.Stage.IsDeviceFault ? held.Stage.Fault : null); break;
            case DeviceProtocol.ShardHeld held: Tell(held with { Shard = held.Shard with { Device = _self } }, held.Shard.IsDeviceFault ? held.Shard.Fault : null); break;
            case DeviceProtocol.RanOut ranOut: MarkUnfit(_fitness.RanOut(ranOut.Why, node.NowMs)); break;
            case RestTick: Rest(); break;
            case LaneEnvelope { Message: PulseProtocol.Ask ask }: Answer(ask); break;
            case LaneFailed: break; // Who asked is gone.
            case Terminated gone: Forget(gone.ActorRef); break;
            default: Unhandled(message); break;
        }
    }

    private void Answer(PulseProtocol.Ask ask) => node.Lane.Send(
        ask.ReplyTo, LaneClass.Control, new PulseProtocol.Pulse(_self, device.Pulse.IsBusy(Stopwatch.GetTimestamp())), null, null, Self);

    private void MarkUnfit(string? fault)
    {
        if (fault is null) return;
        _log.Error("Device {Device} is not fit: {Reason}", device.Options.Name, fault);
        Context.Parent.Tell(new DeviceProtocol.Unfit(device.Options.Name, fault));
        Rest();
    }

    /// <summary>Until it has not failed for long enough.</summary>
    private void Rest()
    {
        if (_fitness.RestLeft(node.NowMs) is { Ticks: > 0 } left) Timers.StartSingleTimer(nameof(RestTick), new RestTick(), left);
        else Context.Parent.Tell(new DeviceProtocol.Fit(device.Options.Name));
    }

    private void HoldStages(DeviceProtocol.HoldStages hold)
    {
        var wanted = hold.Stages.ToDictionary(s => (s.Placement.Pipeline, s.Placement.Index));
        foreach (var (key, held) in _stages.ToArray())
            if (!wanted.TryGetValue(key, out var stage) || !SameLayers(stage.Placement, held.Placement)) Stop(_stages, key, held.Actor);
        foreach (var (key, stage) in wanted)
        {
            if (!_stages.TryGetValue(key, out var held))
            {
                var props = StageActor.Props(node, device, stage.Placement).WithDispatcher(device.Dispatcher);
                held = (stage.Placement, Context.ActorOf(props, $"stage-{key.Pipeline}-{key.Index}-{++_created}"));
                Context.Watch(held.Actor);
            }

            _stages[key] = (stage.Placement, held.Actor);
            held.Actor.Tell(new DeviceProtocol.Wire(stage.PipelineEpoch));
        }
    }

    private void HoldShard(ShardPlacement placement)
    {
        var key = (placement.Shard, placement.Replica);
        if (_shards.TryGetValue(key, out var held))
        {
            if (held.Placement == placement) return;
            Stop(_shards, key, held.Actor);
        }

        var props = ExpertActor.Props(node, device, placement).WithDispatcher(device.Dispatcher);
        var actor = Context.ActorOf(props, $"expert-{key.Shard}-{key.Replica}-{++_created}");
        Context.Watch(actor);
        _shards[key] = (placement, actor);
    }

    private void DropShard((int, int) key)
    {
        if (_shards.TryGetValue(key, out var held)) Stop(_shards, key, held.Actor);
    }

    private void WritePart(PartProtocol.Write write)
    {
        var index = write.Part.Index;
        var owner = write.Part.Kind == PartKind.Stage
            ? _stages.TryGetValue((0, index), out var stage) ? stage.Actor : null
            : _shards.FirstOrDefault(shard => shard.Key.Shard == index).Value.Actor;
        if (owner is null) Sender.Tell(new PartProtocol.Failed(write.Folder, write.Part, $"device \"{device.Options.Name}\" does not hold it"));
        else owner.Forward(write);
    }

    private void Tell(object report, string? deviceFault)
    {
        _told[Sender] = report;
        Context.Parent.Tell(report);
        if (deviceFault is not null) MarkUnfit(_fitness.CouldNotLoad(deviceFault, node.NowMs));
    }

    private void Stop<TPlacement>(Dictionary<(int, int), (TPlacement, IActorRef)> held, (int, int) key, IActorRef actor)
    {
        held.Remove(key);
        _told.Remove(actor);
        Context.Unwatch(actor);
        Context.Stop(actor);
    }

    /// <summary>A child that stopped by itself: it has told why, or restarting did not help it. What it should hold is not held, and why stays known.</summary>
    private void Forget(IActorRef actor)
    {
        foreach (var key in _stages.Where(s => s.Value.Actor.Equals(actor)).Select(s => s.Key).ToArray()) _stages.Remove(key);
        foreach (var key in _shards.Where(s => s.Value.Actor.Equals(actor)).Select(s => s.Key).ToArray()) _shards.Remove(key);
        if (!_told.Remove(actor, out var last)) return;
        switch (last)
        {
            case DeviceProtocol.StageHeld { Stage: { Fault: null } stage }:
                Fail(new DeviceProtocol.StageHeld(stage with { Stage = null, LoadedBytes = 0, Fault = Gone(actor) }));
                break;
            case DeviceProtocol.ShardHeld { Shard: { Fault: null } shard }:
                Fail(new DeviceProtocol.ShardHeld(shard with { Expert = null, LoadedBytes = 0, Fault = Gone(actor) }, WorkCounter.None));
                break;
        }
    }

    private void Fail(object report)
    {
        _log.Error("Device {Device} lost an actor: {Report}", device.Options.Name, report);
        Context.Parent.Tell(report);
    }

    private string Gone(IActorRef actor) => $"{actor.Path.Name} on {device.Options.Name} stopped after repeated faults; see the node's log";

    private static bool SameLayers(StagePlacement a, StagePlacement b) => a.FirstLayer == b.FirstLayer && a.Layers == b.Layers;
}
