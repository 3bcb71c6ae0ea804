using System.Collections.Immutable;
using ActorLlama.Planning.Placement;

namespace ActorLlama.Training;

/// <summary>Rows of a slot that go to one expert shard, ascending, and each one's expert.</summary>
internal sealed record RowGroup(int Shard, ImmutableArray<int> Rows, ImmutableArray<int> Experts);

/// <summary>Sorts a slot's rows by expert shard.</summary>
internal static class RowGroups
{
    /// <param name="experts">Each row's expert.</param>
    /// <param name="shards">Shards of all experts.</param>
    /// <param name="count">All experts.</param>
    /// <param name="withEmpty">Also shards that get no row.</param>
    public static ImmutableArray<RowGroup> Of(ReadOnlySpan<int> experts, int shards, int count, bool withEmpty)
    {
        var groups = ImmutableArray.CreateBuilder<RowGroup>();
        for (var shard = 0; shard < shards; shard++)
        {
            var (first, held) = ExpertShardRange.Of(shard, shards, count);
            var (rows, of) = (ImmutableArray.CreateBuilder<int>(), ImmutableArray.CreateBuilder<int>());
            for (var row = 0; row < experts.Length; row++)
                if (experts[row] >= first && experts[row] < first + held)
                {
                    rows.Add(row);
                    of.Add(experts[row]);
                }
            if (withEmpty || rows.Count > 0) groups.Add(new RowGroup(shard, rows.ToImmutable(), of.ToImmutable()));
        }
        return groups.ToImmutable();
    }
}
