using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Remote;

namespace ActorLlama.Runtime.Sessions;

/// <summary>
/// Where clients come in, on every node: passes on to sessions and supervisor, so that answers go straight to the client. When the connection
/// of a client ends, its sessions hear of it, long before it would be missed. One state.
/// </summary>
internal sealed class GateActor : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_forget = TimeSpan.FromSeconds(1);

    private readonly NodeContext _node;
    private readonly IActorRef _sessions;
    private readonly IActorRef _supervisor;
    private readonly Address _self = Akka.Cluster.Cluster.Get(Context.System).SelfAddress;
    private readonly ClientConnections _clients = new();

    public GateActor(NodeContext node, IActorRef sessions, IActorRef supervisor) => (_node, _sessions, _supervisor) = (node, sessions, supervisor);

    public static Props Props(NodeContext node, IActorRef sessions, IActorRef supervisor) =>
        Akka.Actor.Props.Create(() => new GateActor(node, sessions, supervisor));

    private sealed record ForgetTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(DisassociatedEvent));
        Timers.StartPeriodicTimer(nameof(ForgetTick), new ForgetTick(), s_forget);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ClusterProtocol.GetModel: Sender.Tell(Describe()); break;
            case ClusterProtocol.Drain or ClusterProtocol.Rebalance or ClusterProtocol.Restart: _supervisor.Forward(message); break;
            case ClusterProtocol.GetStatus or ClusterProtocol.GetEvents or ClusterProtocol.Save or ClusterProtocol.GetSave or ClusterProtocol.CancelSave: _supervisor.Forward(message); break;
            case RunProtocol.Start or RunProtocol.Get or RunProtocol.Stop: _supervisor.Forward(message); break;
            case SessionProtocol.Open open when _node.Board.IsDoubtful: Sender.Tell(NotSure(open)); break;
            case IClusterMessage when _node.Board.IsDoubtful: break; // Said again, here or elsewhere.
            case IClusterMessage when SessionRegion.SessionOf(message) is { } session: PassOn(session, message); break;
            case DisassociatedEvent ended: TellLost(ended.RemoteAddress); break;
            case ForgetTick: _clients.Forget(_node.NowMs - _node.Options.Session.ClientTimeoutMs); break;
            default: Unhandled(message); break;
        }
    }

    private static SessionProtocol.Refused NotSure(SessionProtocol.Open open) => new(
        open.Session, open.Epoch, RefusalReason.Loading, "This node did not run for a while, and does not know yet whether it is a member still.", 500);

    private void PassOn(SessionId session, object message)
    {
        _clients.Hear(Sender.Path.Name, session, Sender.Path.ToSerializationFormatWithAddress(_self), _node.NowMs);
        _sessions.Forward(message);
    }

    private void TellLost(Address address)
    {
        foreach (var (session, client) in _clients.Lose(address)) _sessions.Tell(new SessionProtocol.ClientLost(session, client));
    }

    private ClusterProtocol.Model Describe()
    {
        var model = _node.Model;
        return new(
            model.Shape.Name, model.Identity, model.Shape, model.Tokenizer is not null, model.Checkpoint.IsInstruct,
            DefaultSampling.Of(model), model.Config.BosId, model.Config.EosIds);
    }
}
