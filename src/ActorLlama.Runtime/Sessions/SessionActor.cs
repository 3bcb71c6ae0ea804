using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Cluster.Sharding;

namespace ActorLlama.Runtime.Sessions;

/// <summary>
/// One conversation or completion; entity of region "sessions". Holds the tokens and little else, so it can be opened again anywhere.
/// Unopened -> Open; it ends when its state says so, or at once when it is asked about a session it does not know.
/// </summary>
internal sealed class SessionActor : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly NodeContext _node;
    private readonly SessionId _session;
    private SessionState? _state;
    private SessionText? _text;
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private LaneTarget? _scheduler;
    private ImmutableArray<NodeId> _stages = [];
    private LaneTarget? _servedBy;
    private long _sampledAt;
    private ImmutableHashSet<LaneTarget> _busy = [];

    public SessionActor(NodeContext node, SessionId session) => (_node, _session) = (node, session);

    public static Props Props(NodeContext node, SessionId session) => Akka.Actor.Props.Create(() => new SessionActor(node, session));

    private sealed record TimeTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    private SessionState State => _state!;

    protected override void PreStart() => _node.Gauges.AddSession(1);

    protected override void OnReceive(object message) => Unopened(message);

    private void Unopened(object message)
    {
        switch (message)
        {
            case SessionProtocol.Open open: Start(open); break;
            case SessionProtocol.Acknowledge m: Refuse(m.Epoch); break;
            case SessionProtocol.Resume m: Refuse(m.Epoch); break;
            case SessionProtocol.Cancel m: Refuse(m.Epoch); break;
            case SessionProtocol.ClientLost: Leave(); break;
            default: Unhandled(message); break;
        }
    }

    private void Open(object message)
    {
        switch (message)
        {
            case SessionProtocol.Open open when open.Epoch > State.Epoch: Reopen(open); break;
            case SessionProtocol.Open open: Perform(State.Open(open, Client, Now)); break;
            case SessionProtocol.Acknowledge m: Perform(State.Acknowledge(m, Client, Now)); break;
            case SessionProtocol.Resume m: Perform(State.Resume(m, Client, Now)); break;
            case SessionProtocol.Cancel m: Perform(State.Cancel(m, Client, Now)); break;
            case SchedulerProtocol.Accepted m: Accepted(m); break;
            case SchedulerProtocol.Sampled m: Sampled(m); break;
            case SchedulerProtocol.LogitsPart m: Perform(State.LogitsPart(m)); break;
            case SchedulerProtocol.Refused { Reason: RefusalReason.Busy } m: TryOther(m); break;
            case SchedulerProtocol.Refused m: Perform(State.Refused(m, Now)); break;
            case SessionProtocol.ClientLost m: Perform(State.ClientLost(m.Client)); break;
            case RoutesChanged: FollowRoutes(); break;
            case TimeTick: Perform(State.Tick(Now)); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        _node.Gauges.AddSession(-1);
        if (_state is { IsFinished: false }) Perform(_state.Supersede());
    }

    private void Start(SessionProtocol.Open open)
    {
        if (_state is null && _node.Gauges.Sessions > _node.Options.MaxSessions)
        {
            Sender.Tell(new SessionProtocol.Refused(
                _session, open.Epoch, RefusalReason.Busy,
                $"Session \"{_session}\": this node has {_node.Options.MaxSessions} sessions already, the most it takes. Try again later.", 1000));
            Leave();
            return;
        }

        try
        {
            var request = SessionPrompt.Read(_node.Model, open, _node.Options.Session);
            if (!open.GeneratedSoFar.IsEmpty) _node.Gauges.Metrics.FailedOver("session");
            _text = new SessionText(_node.Model.Tokenizer, open.Limits.StopStrings, open.ShowSpecial);
            _state = new SessionState(
                _node.Options.Session, request, [.. open.GeneratedSoFar.Select(_text.Read)], Client, Now, Random.Shared);
        }
        catch (InvalidDataException e)
        {
            Sender.Tell(new SessionProtocol.Refused(_session, open.Epoch, RefusalReason.Invalid, e.Message, 0));
            if (_state is null) Leave();
            return;
        }

        Become(Open);
        Context.System.EventStream.Subscribe(Self, typeof(RoutesChanged));
        Timers.StartPeriodicTimer(nameof(TimeTick), new TimeTick(), s_tick);
        Perform(State.Start(Now));
        FollowRoutes();
    }

    private void Reopen(SessionProtocol.Open open)
    {
        Perform(State.Supersede());
        Start(open);
    }

    private void FollowRoutes()
    {
        var routes = _node.Board.Routes;
        MoveTo(SchedulerChoice.Choose(routes, _session, _scheduler, _node.Board.Loads.Of), $"the cluster is {routes.State}: {routes.Reason}");
    }

    private void MoveTo(LaneTarget? scheduler, string reason)
    {
        if (scheduler is { } chosen && chosen != _scheduler && SchedulerChoice.PipelineOf(_node.Board.Routes, chosen) is { } pipeline)
            _node.Board.Loads.Submitted(pipeline);
        var died = scheduler != _scheduler && _stages.Any(node => Membership.Find(_cluster, node) is null);
        _scheduler = scheduler;
        _stages = scheduler is null ? [] : [.. _node.Board.Routes.Stages.Where(s => s.Placement.Pipeline == SchedulerChoice.PipelineOf(_node.Board.Routes, scheduler.Value)).Select(s => s.Placement.Device.Node)];
        Perform(State.SchedulerAt(scheduler, reason, Now, died));
    }

    private void Sampled(SchedulerProtocol.Sampled sampled)
    {
        if (_node.Gauges.Metrics.TimesGaps)
        {
            if (_sampledAt != 0) _node.Gauges.Metrics.TokenCame(_sampledAt);
            _sampledAt = Stopwatch.GetTimestamp();
        }

        Perform(State.Sampled(sampled, _text!.Read, Now));
    }

    private void Accepted(SchedulerProtocol.Accepted accepted)
    {
        _busy = _busy.Clear();
        if (_servedBy is { } former && former != _scheduler) _node.Gauges.Metrics.FailedOver("scheduler");
        _servedBy = _scheduler;
        Perform(State.Accepted(accepted, Now));
    }

    /// <summary>The load that a scheduler was chosen by is some seconds old: before the client hears that it is busy, the others are asked.</summary>
    private void TryOther(SchedulerProtocol.Refused refused)
    {
        if (_scheduler is { } full && State.IsCurrent(refused.Attempt))
        {
            _busy = _busy.Add(full);
            if (SchedulerChoice.Other(_node.Board.Routes, _session, _busy, _node.Board.Loads.Of) is { } other)
            {
                MoveTo(other, refused.Message);
                return;
            }
        }

        _busy = _busy.Clear();
        Perform(State.Refused(refused, Now));
    }

    private void Perform(ImmutableArray<SessionEffect> effects)
    {
        foreach (var effect in effects)
            switch (effect)
            {
                case SessionEffect.ToScheduler to: Resolve(PathOf(to.Scheduler)).Tell(to.Message, Self); break;
                case SessionEffect.ToClient to: Resolve(to.Client).Tell(to.Message, Self); break;
                case SessionEffect.Stop: Leave(); break;
            }
    }

    private void Refuse(long epoch)
    {
        Sender.Tell(new SessionProtocol.Refused(_session, epoch, RefusalReason.Unknown, $"Session \"{_session}\" is not known here. Open it again.", 0));
        Leave();
    }

    private static void Leave() => Context.Parent.Tell(new Passivate(PoisonPill.Instance));

    private long Now => _node.NowMs;

    private string Client => Sender.Path.ToSerializationFormatWithAddress(Akka.Cluster.Cluster.Get(Context.System).SelfAddress);

    private static string PathOf(LaneTarget target) => $"{target.Node.Address}{target.Path}#{target.Uid}";

    private static IActorRef Resolve(string path) => ((ExtendedActorSystem)Context.System).Provider.ResolveActorRef(path);
}
