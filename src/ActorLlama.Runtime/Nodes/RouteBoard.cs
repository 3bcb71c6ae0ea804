using ActorLlama.Protocol;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Nodes;

/// <summary>
/// The node's latest plan and routes, written by its <see cref="NodeActor"/> alone and readable anywhere; changes are published on the
/// event stream as <see cref="RoutesChanged"/>.
/// </summary>
internal sealed class RouteBoard
{
    private volatile NodeProtocol.Routes _routes = new(0, 0, ClusterState.Forming, "", [], [], []);
    private volatile bool _isDoubtful;
    private volatile NodeProtocol.Assign _assigned = new(PlacementPlan.Empty, [], []);

    /// <summary>This process did not run for a while, and nobody has said yet that it is a member still; written by <see cref="SleepGuard"/> alone.</summary>
    public bool IsDoubtful
    {
        get => _isDoubtful;
        set => _isDoubtful = value;
    }

    /// <summary>How many sequences each pipeline has; also counted up by the node's sessions.</summary>
    public PipelineLoads Loads { get; } = new();

    public NodeProtocol.Routes Routes
    {
        get => _routes;
        set => _routes = value;
    }

    public PlacementPlan Plan => _assigned.Plan;

    /// <summary>The plan as it was assigned.</summary>
    public NodeProtocol.Assign Assigned
    {
        set => _assigned = value;
    }

    /// <summary>How many devices of the pipeline can compute at the same time.</summary>
    public int DevicesAtOnce(int pipeline) => _assigned.DevicesAtOnce is { IsDefault: false } all && pipeline < all.Length ? all[pipeline] : 1;

    /// <summary>
    /// Tells the actor the routes of now and all later ones, as <see cref="RoutesChanged"/>. It subscribes before it reads: who reads first
    /// misses the change between the two for good, as the last routes are not published again.
    /// </summary>
    public void Follow(IActorRef actor, EventStream changes)
    {
        changes.Subscribe(actor, typeof(RoutesChanged));
        actor.Tell(new RoutesChanged(Routes), ActorRefs.NoSender);
    }
}

/// <summary>On the event stream, after the board has changed.</summary>
internal sealed record RoutesChanged(NodeProtocol.Routes Routes) : INoSerializationVerificationNeeded;
