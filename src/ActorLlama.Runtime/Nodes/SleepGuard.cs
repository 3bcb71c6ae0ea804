using ActorLlama.Protocol;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Remote;

namespace ActorLlama.Runtime.Nodes;

/// <summary>
/// Notices that this process did not run for longer than the others wait for a silent node: they may go on without it. Awake -> Doubting, in which the node lets no client
/// in, -> Awake when a majority says that it is a member. A node that is none any more leaves, and joins as another.
/// </summary>
internal sealed class SleepGuard : UntypedActor, IWithTimers
{
    public const string Name = "guard";
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(200);

    private readonly NodeContext _node;
    private readonly TimeSpan _patience;
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly HashSet<Address> _agreeing = [];
    private long _tickedMs;
    private long _question;

    public SleepGuard(NodeContext node, TimeSpan patience) => (_node, _patience) = (node, patience);

    /// <param name="node">The node.</param>
    /// <param name="patience">How long others wait for a silent node.</param>
    public static Props Props(NodeContext node, TimeSpan patience) => Akka.Actor.Props.Create(() => new SleepGuard(node, patience));

    private sealed record GapTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _tickedMs = _node.NowMs;
        Context.System.EventStream.Subscribe(Self, typeof(ThisActorSystemQuarantinedEvent));
        Timers.StartPeriodicTimer(nameof(GapTick), new GapTick(), s_tick);
    }

    protected override void OnReceive(object message) => Awake(message);

    private void Awake(object message)
    {
        switch (message)
        {
            case GapTick when HasSlept(): Doubt(); break;
            case GapTick: break;
            case NodeProtocol.GetMembership asked: Answer(asked); break;
            case NodeProtocol.Membership: break; // Others have said it before.
            case ThisActorSystemQuarantinedEvent: break; // Who slept takes others for lost; so does who was cut off.
            default: Unhandled(message); break;
        }
    }

    private void Doubting(object message)
    {
        switch (message)
        {
            case GapTick when HasSlept(): Doubt(); break;
            case GapTick: Ask(); break;
            case NodeProtocol.GetMembership asked: Answer(asked); break; // When a majority slept together, nobody went on without it.
            case NodeProtocol.Membership answer: Hear(answer); break;
            case ThisActorSystemQuarantinedEvent by: Leave(by.RemoteAddress); break;
            default: Unhandled(message); break;
        }
    }

    /// <summary>The timer's own turns tell: what did not run did not tick either.</summary>
    private bool HasSlept()
    {
        var now = _node.NowMs;
        var slept = now - _tickedMs;
        _tickedMs = now;
        if (slept < _patience.TotalMilliseconds) return false;
        _log.Warning("This process did not run for {Ms} ms: it lets nobody in until others say that it is a member still", slept);
        return true;
    }

    private void Doubt()
    {
        _node.Board.IsDoubtful = true;
        _question++;
        _agreeing.Clear();
        Become(Doubting);
        Ask();
    }

    private void Ask()
    {
        var others = _cluster.State.Members.Where(m => Membership.IsCounted(m) && !m.UniqueAddress.Equals(_cluster.SelfUniqueAddress)).ToArray();
        if (others.Length == 0) Trust();
        foreach (var member in others)
            Context.ActorSelection(new RootActorPath(member.Address) / "user" / Name).Tell(new NodeProtocol.GetMembership(_node.Self, _question), Self);
    }

    private void Hear(NodeProtocol.Membership answer)
    {
        if (answer.Question != _question || !answer.IsMember) return;
        _agreeing.Add(Sender.Path.Address);
        var members = _cluster.State.Members.Count(Membership.IsCounted);
        if ((_agreeing.Count + 1) * 2 > members) Trust();
    }

    /// <summary>
    /// Members that have gone on without this node hear nothing from it any more, nor it from them. What arrived while it slept may make one of them look alive, and this node and that one a
    /// majority, which then would take the rest for lost: so it does not wait for that.
    /// </summary>
    private void Leave(Address by)
    {
        if (_cluster.State.Members.All(member => member.Address != by)) return;
        _log.Warning("{Node} has gone on without this node, which leaves", by);
        _cluster.Down(_cluster.SelfAddress);
    }

    private void Trust()
    {
        _node.Board.IsDoubtful = false;
        _log.Info("This node is a member still");
        Become(Awake);
    }

    private void Answer(NodeProtocol.GetMembership asked) => Sender.Tell(new NodeProtocol.Membership(asked.Question, IsMember(asked.Node)));

    private bool IsMember(NodeId node) =>
        Membership.Find(_cluster, node) is { Status: MemberStatus.Up } member && !_cluster.State.Unreachable.Contains(member);
}
