using System.Collections.Immutable;
using System.Net.Sockets;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Remote;

namespace ActorLlama.Runtime.Supervision;

/// <summary>
/// On every node: when the lane with a member ends, looks whether the member's process is gone, and if so declares it lost at once instead of waiting for the failure
/// detector. A process that is killed has its ports closed by its kernel; one that is frozen or cut off refuses nothing, and stays the detector's business. One state.
/// </summary>
internal sealed class LossWitness : UntypedActor, IWithTimers
{
    /// <summary>When the ports are tried after the lane's end: a process that dies loses its sockets one by one.</summary>
    private static readonly ImmutableArray<int> s_triesMs = [0, 5, 20, 50, 100, 200, 400, 800];
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    private readonly NodeContext _node;
    private readonly IActorRef _supervisor;
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private ImmutableHashSet<NodeId> _gone = [];

    public LossWitness(NodeContext node, IActorRef supervisor) => (_node, _supervisor) = (node, supervisor);

    public static Props Props(NodeContext node, IActorRef supervisor) => Akka.Actor.Props.Create(() => new LossWitness(node, supervisor));

    private sealed record TryTick(NodeId Node, LaneEndpoint? Lane, int Tries) : INoSerializationVerificationNeeded;

    private sealed record Tried(TryTick Tick, bool IsRefused) : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _node.Lane.Subscribe(Self);
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberRemoved));
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case LanePeerLost lost: Try(new TryTick(lost.Node, _node.Lane.EndpointOf(lost.Node), 0)); break;
            case LanePeerUp up: Timers.Cancel(up.Node); break;
            case TryTick tick: Try(tick); break;
            case Tried { IsRefused: true } tried: Declare(tried.Tick.Node); break;
            case Tried tried: TryLater(tried.Tick); break;
            case ClusterEvent.MemberRemoved gone: _gone = _gone.Remove(Membership.IdOf(gone.Member)); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        _node.Lane.Unsubscribe(Self);
        _cluster.Unsubscribe(Self);
    }

    private void Try(TryTick tick)
    {
        // One that leaves closes its ports too.
        if (Membership.Find(_cluster, tick.Node) is not { Status: MemberStatus.Up } member) return;
        IsRefusedAsync(member.Address, tick.Lane).PipeTo(Self, success: refused => new Tried(tick, refused));
    }

    private void TryLater(TryTick tick)
    {
        if (tick.Tries + 1 < s_triesMs.Length)
            Timers.StartSingleTimer(tick.Node, tick with { Tries = tick.Tries + 1 }, TimeSpan.FromMilliseconds(s_triesMs[tick.Tries + 1]));
    }

    private void Declare(NodeId gone)
    {
        _gone = _gone.Add(gone);
        var members = _cluster.State.Members.Where(Membership.IsCounted).Select(Membership.IdOf).ToArray();
        foreach (var node in LossRules.Declare(_node.Self, members, _gone))
        {
            if (Membership.Find(_cluster, node) is not { } member) continue;
            _log.Warning("Node {Node} is gone: its lanes have ended and its ports refuse connections", node);
            _supervisor.Tell(new NodeProtocol.Gone(node));
            // Of this incarnation nothing is heard any more: that makes it unreachable now, so that its removal need not wait for the failure detector.
            ((IRemoteActorRefProvider)((ExtendedActorSystem)Context.System).Provider).Quarantine(member.Address, member.UniqueAddress.Uid);
            _cluster.Down(member.Address);
        }
    }

    private static async Task<bool> IsRefusedAsync(Address address, LaneEndpoint? lane) =>
        await IsRefusedAsync(address.Host, address.Port ?? 0) && (lane is not { } endpoint || await IsRefusedAsync(endpoint.Host, endpoint.Port));

    /// <summary>False also when nothing is heard: that says nothing.</summary>
    private static async Task<bool> IsRefusedAsync(string host, int port)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            await socket.ConnectAsync(host, port, patience.Token);
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
