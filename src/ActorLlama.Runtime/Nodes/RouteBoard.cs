using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Nodes;

/// <summary>
/// The node's latest plan and routes, written by its <see cref="NodeActor"/> alone and readable anywhere; changes are published on the
/// event stream as <see cref="RoutesChanged"/>.
/// </summary>
internal sealed class RouteBoard
{
    private volatile NodeProtocol.Routes _routes = new(0, 0, ClusterState.Forming, "", [], []);
    private volatile PlacementPlan _plan = PlacementPlan.Empty;

    public NodeProtocol.Routes Routes
    {
        get => _routes;
        set => _routes = value;
    }

    public PlacementPlan Plan
    {
        get => _plan;
        set => _plan = value;
    }
}

/// <summary>On the event stream, after the board has changed.</summary>
internal sealed record RoutesChanged(NodeProtocol.Routes Routes) : Akka.Actor.INoSerializationVerificationNeeded;
