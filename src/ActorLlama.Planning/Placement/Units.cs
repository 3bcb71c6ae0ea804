using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>All stages and shard replicas of one division of the model; their devices are not chosen yet.</summary>
internal sealed record Units(ImmutableArray<StagePlacement> Stages, ImmutableArray<ShardPlacement> Shards, int ExpertShards)
{
    public static ImmutableArray<StagePlacement> StagesOf(ModelShape shape, int stages, PlanOptions options)
    {
        var split = StageSplit.Split(shape, stages, options);
        return [.. Enumerable.Range(0, options.Pipelines).SelectMany(pipeline => split.Select((range, index) => new StagePlacement(
            pipeline, index, range.First, range.Layers, default,
            ModelBytes.StageWeights(shape, range.First, range.Layers),
            ModelBytes.StageKv(shape, range.First, range.Layers, options))))];
    }

    public static ImmutableArray<ShardPlacement> ShardsOf(ModelShape shape, int shards, PlanOptions options) =>
        [.. Enumerable.Range(0, shards).SelectMany(shard =>
        {
            var (first, count) = ExpertShardRange.Of(shard, shards, shape.Experts);
            return Enumerable.Range(0, options.Replicas).Select(replica => new ShardPlacement(
                shard, replica, first, count, default, count * shape.ExpertBytes, 0));
        })];
}
