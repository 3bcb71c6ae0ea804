using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Saving;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Saving;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;

namespace ActorLlama.Runtime.Supervision;

/// <summary>
/// The cluster's singleton: members and offers in, plan, assignments and routes out. It assigns and never relays tokens. One state here; the
/// states of the cluster are those of <see cref="SupervisorRules"/>.
/// </summary>
internal sealed class ClusterSupervisor : UntypedActor, IWithTimers
{
    /// <summary>What is under way is asked for again after a while, so it looks often then; where all is served, routes are told again now and then.</summary>
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_readyTick = TimeSpan.FromMilliseconds(500);

    private readonly NodeContext _node;
    private readonly IActorRef _experts;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly IActorRef _saver;
    private readonly IActorRef _training = ActorRefs.Nobody;
    private ImmutableArray<PlannedDevice> _trainingOn = [];
    private SupervisorState _state;
    private ImmutableArray<ClusterProtocol.Event> _history = [];
    private TimeSpan _tick;
    private (string Id, ClusterProtocol.Rebalanced Answer) _rebalanced = ("", new(null, [], [], []));

    public ClusterSupervisor(NodeContext node, IActorRef experts)
    {
        (_node, _experts) = (node, experts);
        _saver = Context.ActorOf(SaveCoordinator.Props(node), "saver");
        if (node.Training is { } training) _training = Context.ActorOf(training.Coordinator(node), NodeTraining.HostName);
        _state = SupervisorState.Start(node.Options.Supervisor, node.NowMs);
    }

    public static Props Props(NodeContext node, IActorRef experts) => Akka.Actor.Props.Create(() => new ClusterSupervisor(node, experts));

    private sealed record PlanTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _log.Info("Supervisor starts on {Node}", _node.Options.Name);
        Note(EventKind.Supervisor, _node.Options.Name, "the supervisor starts there");
        Cluster.Get(Context.System).Subscribe(
            Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.MemberRemoved));
        TickEvery(s_tick);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case NodeProtocol.Offer offer: Take(offer); break;
            case NodeProtocol.Gone gone: Step(new SupervisorEvent.ProcessGone(gone.Node)); break;
            case ClusterProtocol.Events told: _history = EventHistory.Merge(_history, told.History); break;
            case ClusterProtocol.GetEvents: Sender.Tell(new ClusterProtocol.Events(_history)); break;
            case ClusterProtocol.Drain drain: Drain(drain); break;
            case ClusterProtocol.Rebalance rebalance: Rebalance(rebalance); break;
            case ClusterProtocol.Restart restart: Restart(restart); break;
            case ClusterProtocol.GetStatus: Sender.Tell(SupervisorRules.Status(_state, _node.Self)); break;
            case ClusterProtocol.Save save:
                _saver.Forward(new SaveCoordinator.Begin(save, SupervisorRules.Status(_state, _node.Self), _nodes.ToImmutableDictionary()));
                break;
            case ClusterProtocol.GetSave or ClusterProtocol.CancelSave: _saver.Forward(message); break;
            case RunProtocol.Start or RunProtocol.Get or RunProtocol.Stop: _training.Forward(message); break;
            case ClusterEvent.MemberUp up: Welcome(up.Member); break;
            case ClusterEvent.MemberRemoved gone: Lose(Membership.IdOf(gone.Member), left: gone.PreviousStatus == MemberStatus.Exiting); break;
            case PlanTick: Step(new SupervisorEvent.Tick()); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop() => Cluster.Get(Context.System).Unsubscribe(Self);

    /// <summary>It tells by itself what it has and holds, but not before its next turn.</summary>
    private void Welcome(Member member)
    {
        Context.ActorSelection(new RootActorPath(member.Address) / "user" / "node").Tell(new NodeProtocol.GetOffer(), Self);
        Step(new SupervisorEvent.MemberUp(Membership.IdOf(member)));
    }

    private void Drain(ClusterProtocol.Drain drain)
    {
        var (node, answer) = DrainRules.Answer(_state, drain);
        if (node is { } meant && !drain.DryRun) TellNodes([meant], new NodeProtocol.Leave(!drain.Undo));
        Sender.Tell(answer);
    }

    private void Rebalance(ClusterProtocol.Rebalance rebalance)
    {
        var isNew = rebalance.Id.Length == 0 || rebalance.Id != _rebalanced.Id;
        if (isNew) _rebalanced = (rebalance.Id, RebalanceRules.Answer(_state));
        Sender.Tell(_rebalanced.Answer);
        if (isNew && !rebalance.DryRun) Step(new SupervisorEvent.RebalanceAsked());
    }

    private void Restart(ClusterProtocol.Restart restart)
    {
        var (node, answer) = RestartRules.Answer(_state, restart);
        if (node is { } meant) TellNodes([meant], new NodeProtocol.Restart());
        Sender.Tell(answer);
    }

    private void Take(NodeProtocol.Offer offer)
    {
        if (_nodes.TryAdd(offer.Node, Sender)) Sender.Tell(new ClusterProtocol.Events(_history));
        Step(new SupervisorEvent.OfferReceived(offer));
    }

    private void Lose(NodeId node, bool left)
    {
        _nodes.Remove(node);
        // Before the plan changes for it: the loss is the reason.
        _saver.Tell(new SaveCoordinator.Happened(new SaveEvent.NodeLost(node)));
        Step(new SupervisorEvent.MemberLost(node, left));
    }

    private void Step(SupervisorEvent happened)
    {
        var epoch = _state.Plan.Epoch;
        (_state, var effects) = SupervisorRules.Step(_state, happened, _node.NowMs);
        if (_state.Plan.Epoch != epoch) _saver.Tell(new SaveCoordinator.Happened(new SaveEvent.Replanned(_state.Plan.Epoch, _state.Cause)));
        foreach (var effect in effects) Perform(effect);
        TellTraining();
        TickEvery(_state.State == ClusterState.Ready ? s_readyTick : s_tick);
    }

    private void TickEvery(TimeSpan tick)
    {
        if (tick == _tick) return;
        _tick = tick;
        Timers.StartPeriodicTimer(nameof(PlanTick), new PlanTick(), tick);
    }

    /// <summary>Not before all members have been heard: a run that is taken over goes on with all of them.</summary>
    private void TellTraining()
    {
        if (_state.State == ClusterState.Forming) return;
        var devices = _state.Devices;
        if (devices.SequenceEqual(_trainingOn)) return;
        _trainingOn = devices;
        var hosts = _state.Nodes.Where(offer => _nodes.ContainsKey(offer.Node)).SelectMany(offer => offer.Devices.Select((device, i) =>
            KeyValuePair.Create(new DeviceId(offer.Node, device.Name), Context.ActorSelection(_nodes[offer.Node].Path / $"device-{i}" / NodeTraining.HostName))));
        _training.Tell(new TrainingMembers(devices, hosts.ToImmutableDictionary()));
    }

    private void Perform(SupervisorEffect effect)
    {
        switch (effect)
        {
            case SupervisorEffect.AssignTo assign: TellNodes(assign.Nodes, assign.Assign); break;
            case SupervisorEffect.PublishRoutes publish: TellNodes(publish.Nodes, publish.Routes); break;
            case SupervisorEffect.Serve serve: _experts.Tell(serve.Message); break;
            case SupervisorEffect.Refuse refuse: TellNodes([refuse.Node], new NodeProtocol.Refused(refuse.Reason)); break;
            case SupervisorEffect.Note note: Note(note.Kind, note.Node, note.Text); break;
            case SupervisorEffect.Report report: _log.Info("Cluster is {State}: {Reason}", report.State, report.Reason); break;
        }
    }

    private void Note(EventKind kind, string node, string text)
    {
        ImmutableArray<ClusterProtocol.Event> news = [new(_node.Time.GetUtcNow().ToUnixTimeMilliseconds(), kind, node, text)];
        _history = EventHistory.Merge(_history, news);
        TellNodes([.. _nodes.Keys], new ClusterProtocol.Events(news));
    }

    private void TellNodes(ImmutableArray<NodeId> nodes, object message)
    {
        foreach (var node in nodes)
            if (_nodes.TryGetValue(node, out var actor)) actor.Tell(message);
    }
}
