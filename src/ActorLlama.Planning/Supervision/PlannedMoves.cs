using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>What a plan would load elsewhere than the one that serves, for those who ask before.</summary>
internal static class PlannedMoves
{
    /// <summary>The parts that move, and the pipelines whose sessions wait meanwhile.</summary>
    public static (ImmutableArray<ClusterProtocol.Move> Moves, ImmutableArray<int> Pauses) Of(SupervisorState state, PlacementPlan target, ImmutableArray<PlannedDevice> devices)
    {
        var between = Transition.Between(state.Plan, target, devices);
        string NameOf(DeviceId device) => state.Offers[device.Node].Name;
        var stages = target.Stages.Where(s => !Pins.Holds(state.Plan, s)).ToArray();
        ImmutableArray<ClusterProtocol.Move> moves =
        [
            .. stages.Select(s => new ClusterProtocol.Move(
                $"layers {s.FirstLayer}-{s.FirstLayer + s.Layers - 1} of pipeline {s.Pipeline}", NameOf(s.Device), s.WeightBytes)),
            .. target.Shards.Where(s => !Pins.Holds(state.Plan, s)).Select(s => new ClusterProtocol.Move(
                $"experts {s.FirstExpert}-{s.FirstExpert + s.Experts - 1}{(IsMore(state.Plan, target, s.Shard) ? ", another copy," : "")}", NameOf(s.Device), s.WeightBytes)),
        ];
        return (moves, [.. stages.Except(between.Incoming).Select(s => s.Pipeline).Distinct().Order()]);
    }

    private static bool IsMore(PlacementPlan before, PlacementPlan after, int shard) =>
        before.ExpertShards == after.ExpertShards && after.Shards.Count(s => s.Shard == shard) > before.Shards.Count(s => s.Shard == shard);
}
