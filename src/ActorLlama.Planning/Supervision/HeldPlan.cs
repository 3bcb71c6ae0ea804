using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>The plan that nodes together hold, from their offers: what a supervisor that takes over goes on with.</summary>
internal static class HeldPlan
{
    /// <summary>
    /// Of each pipeline the stages of its highest epoch, of each shard replica the one with the highest epoch; nothing whose loading failed.
    /// May have gaps.
    /// </summary>
    public static PlacementPlan From(IReadOnlyList<NodeProtocol.Offer> offers, long epoch)
    {
        var pipelines = offers.SelectMany(o => o.Stages.Where(s => s.Fault is null && s.PlanEpoch > 0 && s.Placement.Device.Node == o.Node))
            .GroupBy(s => s.Placement.Pipeline)
            .ToDictionary(mine => mine.Key, mine => mine.Where(s => s.PlanEpoch == mine.Max(x => x.PlanEpoch)).ToArray());
        ImmutableArray<StagePlacement> stages = [.. pipelines.Values
            .SelectMany(mine => mine.Select(s => s.Placement).DistinctBy(s => s.Index))
            .OrderBy(s => s.Pipeline).ThenBy(s => s.Index)];
        ImmutableArray<ShardPlacement> shards = [.. offers
            .SelectMany(o => o.Shards.Where(s => s.Fault is null && s.Placement.Device.Node == o.Node))
            .GroupBy(s => (s.Placement.Shard, s.Placement.Replica))
            .Select(mine => mine.MaxBy(s => s.RouteEpoch)!)
            .Select(s => s.Placement with { Epoch = s.RouteEpoch })
            .OrderBy(s => s.Shard).ThenBy(s => s.Replica)];
        ImmutableArray<long> epochs = [.. Enumerable.Range(0, pipelines.Keys.DefaultIfEmpty(-1).Max() + 1)
            .Select(p => pipelines.TryGetValue(p, out var held) ? held[0].PlanEpoch : 0)];
        return new PlacementPlan(epoch, stages, shards, shards.Select(s => s.Shard + 1).DefaultIfEmpty(0).Max(), epochs);
    }

    /// <summary>The highest epoch in an offer.</summary>
    public static long HighestEpoch(NodeProtocol.Offer offer) =>
        offer.Stages.Select(s => s.PlanEpoch).Concat(offer.Shards.Select(s => s.RouteEpoch)).Append(offer.PlanEpoch).Max();

    /// <summary>True when the node has taken part in a plan.</summary>
    public static bool HasHistory(NodeProtocol.Offer offer) => HighestEpoch(offer) > 0;
}
