using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Saving;

/// <summary>Who writes what: every weight has one owner.</summary>
public static class SaveParts
{
    /// <summary>The stages of pipeline 0, whose copies the others are, and of each expert shard its first replica.</summary>
    public static ImmutableArray<SaveProtocol.Part> Of(PlacementPlan plan) =>
    [
        .. plan.Stages.Where(stage => stage.Pipeline == 0).OrderBy(stage => stage.Index)
            .Select(stage => new SaveProtocol.Part(PartKind.Stage, stage.Index, stage.Device, stage.WeightBytes)),
        .. plan.Shards.GroupBy(shard => shard.Shard).Select(replicas => replicas.MinBy(shard => shard.Replica)!).OrderBy(shard => shard.Shard)
            .Select(shard => new SaveProtocol.Part(PartKind.Experts, shard.Shard, shard.Device, shard.WeightBytes)),
    ];

    /// <summary>Parts in words, as in <c>stage 0, expert shards 1, 3</c>.</summary>
    public static string InWords(IEnumerable<SaveProtocol.Part> parts)
    {
        var all = parts.ToList();
        return string.Join(", ", Words("stage", PartKind.Stage).Concat(Words("expert shard", PartKind.Experts)));

        IEnumerable<string> Words(string what, PartKind kind)
        {
            var indices = all.Where(part => part.Kind == kind).Select(part => part.Index).ToList();
            if (indices.Count > 0) yield return $"{what}{(indices.Count > 1 ? "s" : "")} {string.Join(", ", indices)}";
        }
    }
}
