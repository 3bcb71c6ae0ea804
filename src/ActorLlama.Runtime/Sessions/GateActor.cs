using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Runtime.Sessions;

/// <summary>Where clients come in, on every node: passes on to sessions and supervisor, so that answers go straight to the client. One state.</summary>
internal sealed class GateActor(NodeContext node, IActorRef sessions, IActorRef supervisor) : UntypedActor
{
    public static Props Props(NodeContext node, IActorRef sessions, IActorRef supervisor) =>
        Akka.Actor.Props.Create(() => new GateActor(node, sessions, supervisor));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ClusterProtocol.GetModel: Sender.Tell(Describe()); break;
            case ClusterProtocol.GetStatus or ClusterProtocol.Save or ClusterProtocol.GetSave or ClusterProtocol.CancelSave: supervisor.Forward(message); break;
            case IClusterMessage when SessionRegion.SessionOf(message) is not null: sessions.Forward(message); break;
            default: Unhandled(message); break;
        }
    }

    private ClusterProtocol.Model Describe()
    {
        var model = node.Model;
        return new(
            model.Shape.Name, model.Identity, model.Shape, model.Tokenizer is not null, model.Checkpoint.IsInstruct,
            DefaultSampling.Of(model), model.Config.BosId, model.Config.EosIds);
    }
}
