using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>How far the nodes are with loading what a plan gives them.</summary>
public static class LoadProgress
{
    /// <summary>Weight bytes of the plan's units that were read, by the nodes' offers, and of all of them.</summary>
    public static (long LoadedBytes, long TotalBytes) Of(PlacementPlan plan, IReadOnlyList<NodeProtocol.Offer> offers)
    {
        var nodes = offers.DistinctBy(offer => offer.Node).ToDictionary(offer => offer.Node);
        var loaded = plan.Stages.Sum(stage => nodes.TryGetValue(stage.Device.Node, out var offer)
                && offer.Stages.FirstOrDefault(held => Pins.Same(held.Placement, stage)) is { } held ? Of(held) : 0)
            + plan.Shards.Sum(shard => nodes.TryGetValue(shard.Device.Node, out var offer)
                && offer.Shards.FirstOrDefault(held => Pins.Same(held.Placement, shard)) is { } held ? Of(held) : 0);
        return (loaded, plan.Stages.Sum(stage => stage.WeightBytes) + plan.Shards.Sum(shard => shard.WeightBytes));
    }

    /// <summary>Weight bytes of a stage that were read: all when it is loaded.</summary>
    public static long Of(NodeProtocol.HeldStage held) =>
        held.Stage is null ? Math.Min(held.LoadedBytes, held.Placement.WeightBytes) : held.Placement.WeightBytes;

    /// <summary>As <see cref="Of(NodeProtocol.HeldStage)"/>, of an expert shard.</summary>
    public static long Of(NodeProtocol.HeldShard held) =>
        held.Expert is null ? Math.Min(held.LoadedBytes, held.Placement.WeightBytes) : held.Placement.WeightBytes;
}
