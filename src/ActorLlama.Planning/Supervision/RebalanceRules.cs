using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether parts of the model move to nodes that hold less, and what that gains.</summary>
public static class RebalanceRules
{
    /// <summary>What would happen now. <see cref="SupervisorEvent.RebalanceAsked"/> lets it.</summary>
    public static ClusterProtocol.Rebalanced Answer(SupervisorState state)
    {
        if (state.State != ClusterState.Ready) return new($"Rebalance: the cluster is {state.State} ({state.Reason}). Wait until it is Ready.", [], [], []);
        var target = Target(state);
        var (moves, pauses) = PlannedMoves.Of(state, target, state.Devices);
        return new(null, moves, pauses, [.. state.Devices.GroupBy(d => d.NodeName).Select(node => new ClusterProtocol.NodeBytes(
            node.Key, node.Sum(d => Levelling.BytesOn(state.Plan, d.Id)), node.Sum(d => Levelling.BytesOn(target, d.Id))))]);
    }

    /// <summary>The plan to come; the one that serves where nothing is worth moving.</summary>
    internal static PlacementPlan Target(SupervisorState state) => Levelling.Of(state.Plan, state.Devices, state.HighestEpoch + 1);
}
