using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Runtime.Experts;

/// <summary>
/// Owns the right to serve one replica of one expert shard; the entity of region "experts" that Cluster.Sharding keeps unique. Holds no
/// weights: it claims them of its node while it lives. One state.
/// </summary>
internal sealed class ExpertShardActor(IActorRef node) : UntypedActor
{
    private ShardProtocol.Serve? _serving;

    public static Props Props(IActorRef node) => Akka.Actor.Props.Create(() => new ExpertShardActor(node));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ShardProtocol.Serve serve: Serve(serve); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop()
    {
        if (_serving is { } serving) node.Tell(new ShardClaims.Release(serving.Shard, serving.Replica));
    }

    private void Serve(ShardProtocol.Serve serve)
    {
        _serving = serve;
        node.Tell(new ShardClaims.Claim(serve.Shard, serve.Replica));
    }
}
