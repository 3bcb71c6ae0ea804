using System.Collections.Immutable;
using ActorLlama.Kernels;
using ActorLlama.Model;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Experts;
using ActorLlama.Runtime.Saving;
using ActorLlama.Runtime.Scheduling;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Nodes;

/// <summary>
/// One per process: offers its devices to the supervisor, holds what the plan gives it, and is the parent of what runs here. One state;
/// the plan's epoch orders everything.
/// </summary>
internal sealed class NodeActor : UntypedActor, IWithTimers
{
    private const long ProgressEveryMs = 250;

    /// <summary>Counting handles asks the system about each: the dearest thing that an idle node would do, so one counts them no more often.</summary>
    private const long HandlesEveryMs = 5000;

    /// <summary>A lane that ends is opened again at once, when its peer lives.</summary>
    private const long LostAfterMs = 1500;

    private readonly NodeContext _node;
    private readonly ImmutableArray<NodeDevice> _devices;
    private readonly IActorRef _supervisor;
    private readonly NodeEnd _end;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<string, IActorRef> _deviceActors = [];
    private readonly Dictionary<(int Pipeline, int Index), NodeProtocol.HeldStage> _stages = [];
    private readonly Dictionary<(int Shard, int Replica), (NodeProtocol.HeldShard Held, WorkCounter Work)> _shards = [];
    private readonly Dictionary<(int Shard, int Replica), IActorRef> _owners = [];
    private readonly Dictionary<int, (long Epoch, IActorRef Actor, LaneTarget Target)> _schedulers = [];
    private readonly Dictionary<int, NodeProtocol.PipelineLoad> _loads = [];
    private readonly Dictionary<NodeId, long> _lanesLost = [];
    private readonly Dictionary<string, string> _unfit = [];
    private ImmutableArray<ClusterProtocol.Event> _history = [];
    private IActorRef _saver = ActorRefs.Nobody;
    private (int Count, long AtMs, long Computed) _handles = (0, -HandlesEveryMs, 0);
    private long _offeredMs;
    private bool _isLeaving;

    public NodeActor(NodeContext node, ImmutableArray<NodeDevice> devices, IActorRef supervisor, NodeEnd end) =>
        (_node, _devices, _supervisor, _end) = (node, devices, supervisor, end);

    /// <param name="node">What the node's actors share.</param>
    /// <param name="devices">The node's devices.</param>
    /// <param name="supervisor">The supervisor's proxy.</param>
    /// <param name="end">Who is told that the node is to end.</param>
    public static Props Props(NodeContext node, ImmutableArray<NodeDevice> devices, IActorRef supervisor, NodeEnd end) =>
        Akka.Actor.Props.Create(() => new NodeActor(node, devices, supervisor, end));

    private sealed record OfferTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        for (var i = 0; i < _devices.Length; i++)
            _deviceActors[_devices[i].Options.Name] = Context.ActorOf(DeviceActor.Props(_node, _devices[i]), $"device-{i}");
        _saver = Context.ActorOf(NodeSaver.Props(_node, _deviceActors), "saver");
        _node.Lane.Subscribe(Self);
        Timers.StartPeriodicTimer(nameof(OfferTick), new OfferTick(), TimeSpan.FromMilliseconds(50), _node.Options.OfferInterval);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case OfferTick: Offer(); break;
            case LanePeerLost lost: _lanesLost.TryAdd(lost.Node, _node.NowMs); break;
            case LaneRanOut ranOut: RunOut(ranOut.Why); break;
            case LanePeerUp up: _lanesLost.Remove(up.Node); break;
            case NodeProtocol.GetOffer: Introduce(); break;
            case ClusterProtocol.Events told: _history = EventHistory.Merge(_history, told.History); break;
            case NodeProtocol.Assign assign: Assign(assign); break;
            case NodeProtocol.Routes routes: Publish(routes); break;
            case NodeProtocol.Leave leave: Leave(leave.IsLeaving); break;
            case NodeProtocol.Restart: Restart(); break;
            case NodeProtocol.Refused refused: _end.Fail($"the cluster refused this node: {refused.Reason}"); break;
            case DeviceProtocol.StageHeld held: StageHeld(held.Stage); break;
            case DeviceProtocol.ShardHeld held: ShardHeld(held); break;
            case DeviceProtocol.Unfit unfit: Unfit(unfit); break;
            case DeviceProtocol.Fit fit: Fit(fit.Device); break;
            case NodeProtocol.PipelineLoad load when _schedulers.ContainsKey(load.Pipeline): _loads[load.Pipeline] = load; break;
            case NodeProtocol.PipelineLoad: break; // Of a scheduler that has been stopped.
            case SaveProtocol.Write or SaveProtocol.End: _saver.Forward(message); break;
            case ShardClaims.Claim claim: Claim((claim.Shard, claim.Replica)); break;
            case ShardClaims.Release release: Release((release.Shard, release.Replica)); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop() => _node.Lane.Unsubscribe(Self);

    private void Leave(bool isLeaving)
    {
        if (_isLeaving != isLeaving) _log.Info(isLeaving ? "This node is drained" : "This node may hold parts of the model again");
        _isLeaving = isLeaving;
        Offer();
    }

    private void Restart()
    {
        _log.Info("This node ends and starts again");
        _end.StartAgain();
    }

    private void Introduce()
    {
        if (!_history.IsEmpty) Sender.Tell(new ClusterProtocol.Events(_history));
        Sender.Tell(OfferNow());
    }

    private void Offer()
    {
        _offeredMs = _node.NowMs;
        _supervisor.Tell(OfferNow());
    }

    /// <summary>Progress of loading is offered now and then, everything else at once.</summary>
    private void OfferAfter(bool isProgress)
    {
        if (!isProgress || _node.NowMs - _offeredMs >= ProgressEveryMs) Offer();
    }

    private NodeProtocol.Offer OfferNow() => new(
        _node.Self,
        _node.Options.Name,
        _node.Options.Roles,
        [.. _devices.Select(d => new NodeProtocol.DeviceOffer(d.Options.Name, d.Options.MemoryBytes, _unfit.GetValueOrDefault(d.Options.Name), d.Options.IsCpu ? d.Options.Threads : 0))],
        _node.LaneEndpoint,
        _node.Model.Identity,
        _node.Model.Shape,
        _node.Board.Plan.Epoch,
        [.. _stages.Values.Select(WithScheduler)],
        [.. _shards.Where(s => _owners.ContainsKey(s.Key)).Select(s => s.Value.Held with { RowsComputed = s.Value.Work.Rows })],
        Counters(),
        [.. _shards.Select(s => new NodeProtocol.ExpertRows(s.Key.Shard, s.Key.Replica, s.Value.Work.ByExpert()))],
        [.. _loads.Values],
        [.. _node.Lane.Peers.Where(p => _lanesLost.TryGetValue(p, out var since) && _node.NowMs - since >= LostAfterMs)],
        _isLeaving,
        CpuTopology.MachineProcessors);

    /// <summary>Bytes over lanes are those of messages: heartbeats would make an idle node look busy.</summary>
    private NodeProtocol.NodeCounters Counters()
    {
        var lane = _node.Lane.Statistics;
        var computed = _node.Gauges.StageMicros + _node.Gauges.ExpertMicros;
        if (computed != _handles.Computed || _node.NowMs - _handles.AtMs >= HandlesEveryMs) _handles = (ProcessFigures.Handles(), _node.NowMs, computed);
        return new(
            lane.Classes.Sum(c => c.BytesSent), lane.Classes.Sum(c => c.BytesReceived), Payload.Live, Activation.Live, _devices.Sum(d => d.Backend.KvBytes), _node.Gauges.Sessions,
            Environment.WorkingSet, ProcessFigures.PrivateBytes(), GC.GetTotalMemory(forceFullCollection: false), _handles.Count, _node.Gauges.StageMicros, _node.Gauges.ExpertMicros);
    }

    private void Assign(NodeProtocol.Assign assign)
    {
        var plan = assign.Plan;
        _node.Lane.SetPeers(plan.Epoch, assign.Nodes);
        if (plan.Epoch <= _node.Board.Plan.Epoch) return;
        _node.Board.Assigned = assign;
        _saver.Tell(new NodeSaver.PlanChanged());
        _log.Info("Plan {Epoch}: {Stages} stages and {Shards} expert shards here", plan.Epoch, plan.Stages.Count(IsHere), plan.Shards.Count(IsHere));
        foreach (var key in _stages.Keys.Where(k => !HeldHere(plan).Any(s => (s.Pipeline, s.Index) == k)).ToArray()) _stages.Remove(key);
        foreach (var (name, device) in _deviceActors)
            device.Tell(new DeviceProtocol.HoldStages([.. HeldHere(plan)
                .Where(s => s.Device.Name == name)
                .Select(s => new DeviceProtocol.WiredStage(s, plan.EpochOf(s)))]));
        foreach (var key in _shards.Keys.ToArray())
            if (PlacedHere(key) is not { } placement || placement != _shards[key].Held.Placement) Drop(key);
        // At once, before the shards' owners are here: what they are given to serve is there then.
        foreach (var shard in plan.Shards.Where(IsHere)) Load((shard.Shard, shard.Replica));
        HoldSchedulers(plan);
        Offer();
    }

    /// <summary>A scheduler lives as long as its pipeline keeps its stages: with a new epoch it starts anew, and sessions submit again.</summary>
    private void HoldSchedulers(PlacementPlan plan)
    {
        var wanted = plan.Stages.Where(s => s.Index == 0 && IsHere(s)).ToDictionary(s => s.Pipeline, s => plan.PipelineEpochs[s.Pipeline]);
        foreach (var (pipeline, held) in _schedulers.ToArray())
        {
            if (wanted.TryGetValue(pipeline, out var epoch) && epoch == held.Epoch) continue;
            Context.Stop(held.Actor);
            _schedulers.Remove(pipeline);
            _loads.Remove(pipeline);
        }

        foreach (var (pipeline, epoch) in wanted)
        {
            if (_schedulers.ContainsKey(pipeline)) continue;
            var actor = Context.ActorOf(BatchScheduler.Props(_node, pipeline, epoch), $"scheduler-{pipeline}-{epoch}");
            _schedulers[pipeline] = (epoch, actor, _node.Lane.Register(actor));
        }
    }

    private void Publish(NodeProtocol.Routes routes)
    {
        var known = _node.Board.Routes;
        var age = (routes.PlanEpoch, routes.Version).CompareTo((known.PlanEpoch, known.Version));
        if (age < 0) return;
        _node.Board.Loads.Report(routes.Loads);
        if (age == 0) return;
        _node.Board.Routes = routes;
        if (routes.State != known.State) _log.Info("Cluster is {State}: {Reason}", routes.State, routes.Reason);
        Context.System.EventStream.Publish(new RoutesChanged(routes));
    }

    private void StageHeld(NodeProtocol.HeldStage held)
    {
        var key = (held.Placement.Pipeline, held.Placement.Index);
        if (!HeldHere(_node.Board.Plan).Any(s => (s.Pipeline, s.Index) == key)) return;
        var isProgress = held is { Stage: null, Fault: null } && _stages.ContainsKey(key);
        _stages[key] = held;
        OfferAfter(isProgress);
    }

    private void ShardHeld(DeviceProtocol.ShardHeld held)
    {
        var key = (held.Shard.Placement.Shard, held.Shard.Placement.Replica);
        if (PlacedHere(key) != held.Shard.Placement) return;
        var isProgress = held.Shard is { Expert: null, Fault: null } && _shards.ContainsKey(key);
        _shards[key] = (held.Shard, held.Work);
        OfferAfter(isProgress);
    }

    /// <summary>Rows have no room in this process: that is what its devices would compute with.</summary>
    private void RunOut(string why)
    {
        foreach (var device in _deviceActors.Values) device.Tell(new DeviceProtocol.RanOut(why));
    }

    private void Unfit(DeviceProtocol.Unfit unfit)
    {
        _unfit[unfit.Device] = unfit.Why;
        Offer();
    }

    private void Fit(string device)
    {
        _log.Info("Device {Device} did not fail again: it is offered as fit", device);
        _unfit.Remove(device);
        Offer();
    }

    private void Claim((int, int) key)
    {
        if (_owners.TryAdd(key, Sender)) _node.Gauges.Metrics.ShardMoved("in");
        _owners[key] = Sender;
        Load(key);
        Offer();
    }

    private void Release((int, int) key)
    {
        if (!_owners.TryGetValue(key, out var owner) || !owner.Equals(Sender)) return;
        _owners.Remove(key);
        _node.Gauges.Metrics.ShardMoved("out");
        if (PlacedHere(key) is null) Drop(key);
        Offer();
    }

    private void Load((int, int) key)
    {
        if (PlacedHere(key) is { } placement && !_shards.ContainsKey(key))
            _deviceActors[placement.Device.Name].Tell(new DeviceProtocol.HoldShard(placement));
    }

    private void Drop((int Shard, int Replica) key)
    {
        if (!_shards.Remove(key, out var held)) return;
        _deviceActors[held.Held.Placement.Device.Name].Tell(new DeviceProtocol.DropShard(key.Shard, key.Replica));
    }

    private NodeProtocol.HeldStage WithScheduler(NodeProtocol.HeldStage held) =>
        held.Placement.Index == 0 && _schedulers.TryGetValue(held.Placement.Pipeline, out var scheduler) && scheduler.Epoch == held.PlanEpoch
            ? held with { Scheduler = scheduler.Target }
            : held;

    private ShardPlacement? PlacedHere((int Shard, int Replica) key) =>
        _node.Board.Plan.Shards.FirstOrDefault(s => IsHere(s) && (s.Shard, s.Replica) == key);

    private IEnumerable<StagePlacement> HeldHere(PlacementPlan plan) => plan.Stages.Concat(plan.Incoming).Where(IsHere);

    private bool IsHere(StagePlacement stage) => stage.Device.Node == _node.Self;

    private bool IsHere(ShardPlacement shard) => shard.Device.Node == _node.Self;
}
