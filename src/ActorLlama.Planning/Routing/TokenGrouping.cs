using System.Collections.Immutable;

namespace ActorLlama.Planning.Routing;

/// <summary>Sorts a layer's rows by the shard that computes them.</summary>
public static class TokenGrouping
{
    /// <summary>
    /// One group for each shard that has rows, by ascending shard. <paramref name="experts"/>: the expert of each row; with k experts per
    /// token, [T, k] flattened, and then row / k is the token.
    /// </summary>
    public static ImmutableArray<ShardGroup> Group(ReadOnlySpan<int> experts, ExpertShards shards)
    {
        var counts = new int[shards.Shards];
        foreach (var expert in experts)
            counts[shards.ShardOf(expert)]++;

        var rows = new int[shards.Shards][];
        var chosen = new int[shards.Shards][];
        for (var shard = 0; shard < counts.Length; shard++)
        {
            rows[shard] = new int[counts[shard]];
            chosen[shard] = new int[counts[shard]];
        }

        Array.Clear(counts);
        for (var row = 0; row < experts.Length; row++)
        {
            var shard = shards.ShardOf(experts[row]);
            var place = counts[shard]++;
            rows[shard][place] = row;
            chosen[shard][place] = experts[row];
        }

        var groups = ImmutableArray.CreateBuilder<ShardGroup>();
        for (var shard = 0; shard < counts.Length; shard++)
            if (counts[shard] > 0)
                groups.Add(new(shard, ImmutableArray.Create(rows[shard]), ImmutableArray.Create(chosen[shard])));
        return groups.DrainToImmutable();
    }
}
