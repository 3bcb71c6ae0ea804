using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>What a supervisor is to do, in this order.</summary>
public abstract record SupervisorEffect
{
    private SupervisorEffect()
    {
    }

    public sealed record AssignTo(ImmutableArray<NodeId> Nodes, NodeProtocol.Assign Assign) : SupervisorEffect;

    /// <summary>Send to the entity. Its <c>PlanEpoch</c> is the epoch of the shard's placement, so the route that it announces has that epoch.</summary>
    public sealed record Serve(ShardProtocol.Serve Message) : SupervisorEffect;

    public sealed record PublishRoutes(ImmutableArray<NodeId> Nodes, NodeProtocol.Routes Routes) : SupervisorEffect;

    public sealed record Refuse(NodeId Node, string Reason) : SupervisorEffect;

    /// <summary>For the cluster's history. <paramref name="Node"/>: the name of whom it met, or "".</summary>
    public sealed record Note(EventKind Kind, string Node, string Text) : SupervisorEffect;

    /// <summary>The cluster's state or its reason changed.</summary>
    public sealed record Report(ClusterState State, string Reason) : SupervisorEffect;
}
