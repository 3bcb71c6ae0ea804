using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether parts of the model move to nodes that hold less, and busy ones get more replicas; and what that gains.</summary>
public static class RebalanceRules
{
    /// <summary>What would happen now. <see cref="SupervisorEvent.RebalanceAsked"/> lets it.</summary>
    public static ClusterProtocol.Rebalanced Answer(SupervisorState state)
    {
        if (state.State != ClusterState.Ready) return new($"Rebalance: the cluster is {state.State} ({state.Reason}). Wait until it is Ready.", [], [], []);
        var target = Target(state);
        var (moves, pauses) = PlannedMoves.Of(state, target, state.Devices);
        var rows = Rows(state);
        return new(
            null, moves, pauses,
            [.. state.Devices.GroupBy(d => d.NodeName).Select(node => new ClusterProtocol.NodeBytes(
                node.Key, node.Sum(d => Levelling.BytesOn(state.Plan, d.Id)), node.Sum(d => Levelling.BytesOn(target, d.Id))))],
            HotReplicas.Busiest(state.Plan, state.Devices, rows), HotReplicas.Busiest(target, state.Devices, rows));
    }

    /// <summary>The plan to come; the one that serves where nothing is worth moving.</summary>
    internal static PlacementPlan Target(SupervisorState state) => Replicated(state, Levelling.Of(state.Plan, state.Devices, state.HighestEpoch + 1));

    /// <summary>That plan, with more replicas of busy shards.</summary>
    internal static PlacementPlan Replicated(SupervisorState state, PlacementPlan target) => Spares(state) > 0
        ? HotReplicas.Of(state.Plan, target, state.Devices, Rows(state), Asked(state), state.Options.MaxReplicas, state.HighestEpoch + 1)
        : target;

    /// <summary>How many replicas a shard may have beyond those that all have.</summary>
    internal static int Spares(SupervisorState state) => Math.Max(0, state.Options.MaxReplicas - Asked(state));

    private static int Asked(SupervisorState state) => Math.Clamp(state.Devices.Count(d => d is { Experts: true, IsLeaving: false }), 1, state.Options.Plan.Replicas);

    private static ImmutableArray<double> Rows(SupervisorState state) =>
        [.. Enumerable.Range(0, state.Plan.ExpertShards).Select(shard => state.Plan.Shards.FirstOrDefault(s => s.Shard == shard) is { } held ? state.Loads.Of(held) : 0)];
}
