using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Divides layers into contiguous stages, even in bytes.</summary>
internal static class StageSplit
{
    /// <summary>
    /// The stages' (first layer, layers), at least one layer each: the largest stage is as small as can be, and the rest as even as that
    /// allows. Bytes are weights and KV. Earlier stages are the larger ones on ties.
    /// </summary>
    public static ImmutableArray<(int First, int Layers)> Split(ModelShape shape, int stages, PlanOptions options)
    {
        var sums = PrefixSums(shape, options);
        var largest = SmallestMaximum(sums, stages);
        return MostEven(sums, stages, largest);
    }

    private static long[] PrefixSums(ModelShape shape, PlanOptions options)
    {
        var sums = new long[shape.Layers.Length + 1];
        for (var i = 0; i < shape.Layers.Length; i++)
            sums[i + 1] = sums[i] + ModelBytes.StageWeights(shape, i, 1) + ModelBytes.StageKv(shape, i, 1, options);
        return sums;
    }

    private static long SmallestMaximum(long[] sums, int stages)
    {
        var layers = sums.Length - 1;
        var best = sums.ToArray();
        for (var stage = 2; stage <= stages; stage++)
        {
            for (var end = layers; end >= stage; end--)
            {
                var smallest = long.MaxValue;
                for (var start = stage - 1; start < end; start++)
                    smallest = Math.Min(smallest, Math.Max(best[start], sums[end] - sums[start]));
                best[end] = smallest;
            }
        }

        return best[layers];
    }

    // Least sum of squares among the splits whose stages stay within the limit, over suffixes so that ties favour larger early stages.
    private static ImmutableArray<(int First, int Layers)> MostEven(long[] sums, int stages, long limit)
    {
        var layers = sums.Length - 1;
        var cost = new Int128?[stages + 1, layers + 1];
        var ends = new int[stages + 1, layers + 1];
        cost[0, layers] = 0;
        for (var left = 1; left <= stages; left++)
        {
            for (var start = layers - left; start >= 0; start--)
            {
                for (var end = start + 1; end <= layers; end++)
                {
                    var bytes = sums[end] - sums[start];
                    if (bytes > limit) break;
                    if (cost[left - 1, end] is not { } rest) continue;
                    var total = rest + (Int128)bytes * bytes;
                    if (cost[left, start] is { } known && known < total) continue;
                    cost[left, start] = total;
                    ends[left, start] = end;
                }
            }
        }

        var split = ImmutableArray.CreateBuilder<(int, int)>(stages);
        for (int left = stages, at = 0; left > 0; left--)
        {
            split.Add((at, ends[left, at] - at));
            at = ends[left, at];
        }

        return split.MoveToImmutable();
    }
}
