using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// A rolling restart: one node after the other is drained, ends, and comes back as another. What to do next follows from the cluster's status alone, so whoever leads
/// it may ask as often as he likes, and the supervisor may move meanwhile.
/// </summary>
public static class RollRules
{
    /// <summary>Those that hold least first, so that most moves once; the supervisor's last, for it moves to the oldest node.</summary>
    public static ImmutableArray<NodeId> Order(ClusterProtocol.Status status) =>
        [.. status.Nodes.OrderBy(o => o.Node == status.Supervisor).ThenBy(o => Bytes(status.Plan, o.Node)).Select(o => o.Node)];

    /// <summary>The next step.</summary>
    /// <param name="order">All nodes of the beginning.</param>
    /// <param name="status">The cluster as it is now.</param>
    public static RollStep Next(ImmutableArray<NodeId> order, ClusterProtocol.Status status)
    {
        if (status.State != ClusterState.Ready) return new RollStep.Wait($"{status.State}: {status.Reason}");
        if (status.Nodes.Length < order.Length) return new RollStep.Wait($"{status.Nodes.Length} of {order.Length} nodes are there");
        if (status.Nodes.FirstOrDefault(o => o.PlanEpoch < status.Plan.Epoch) is { } behind) return new RollStep.Wait($"{behind.Name} does not have plan {status.Plan.Epoch} yet");
        var left = order.Select(id => status.Nodes.FirstOrDefault(o => o.Node == id)).OfType<NodeProtocol.Offer>().FirstOrDefault();
        return left is null ? new RollStep.Done()
            : !left.IsLeaving ? new RollStep.Drain(left)
            : RestartRules.IsEmpty(status.Plan, left) ? new RollStep.Restart(left)
            : new RollStep.Wait($"{left.Name} holds something still");
    }

    private static long Bytes(PlacementPlan plan, NodeId node) =>
        plan.Stages.Where(s => s.Device.Node == node).Sum(s => s.WeightBytes) + plan.Shards.Where(s => s.Device.Node == node).Sum(s => s.WeightBytes);
}
