using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// Attention of sequences that have one row each, as all that decode do, in one call for as many as go together: with few rows a call costs its launch, not its work. Shorter
/// sequences are filled up to the longest with keys that nobody sees.
/// </summary>
internal static class SingleRows
{
    // Elements of the keys of one call: 128 MiB of float32.
    private const long MostElements = 1L << 25;

    /// <summary>How many of these sequences, from the first on, go into one call.</summary>
    public static int Together(ReadOnlySpan<SequenceRows> sequences, int layer)
    {
        var blocks = 0;
        for (var i = 0; i < sequences.Length; i++)
        {
            if (sequences[i] is not { Count: 1, Cache: TorchKvCache cache }) return i;
            blocks = Math.Max(blocks, sequences[i].Start / KvCache.BlockPositions - cache.FirstVisible(layer, sequences[i].Start) / KvCache.BlockPositions + 1);
            if ((i + 1L) * blocks * cache.BlockElements > MostElements) return i;
        }
        return sequences.Length;
    }

    /// <summary>Queries [S,Hq,h], keys and values [S,Hk·h], which go to their caches first: [S, Hq·h].</summary>
    public static Tensor Attend(Tensor q_SHh, Tensor k_SD, Tensor v_SD, int layer, ReadOnlySpan<SequenceRows> sequences)
    {
        long count = sequences.Length, heads = q_SHh.shape[1], width = q_SHh.shape[2], groups = k_SD.shape[1] / width;
        var held = new List<List<TorchKvBlock>>();
        var first = new int[sequences.Length];
        for (var i = 0; i < sequences.Length; i++)
        {
            var (cache, start) = ((TorchKvCache)sequences[i].Cache!, sequences[i].Start);
            cache.Write(layer, start, k_SD.narrow(0, i, 1), v_SD.narrow(0, i, 1));
            first[i] = cache.FirstVisible(layer, start);
            held.Add([.. cache.BlocksFrom(layer, first[i])]);
        }
        var blocks = held.Max(own => own.Count);
        var filler = zeros(KvCache.BlockPositions, k_SD.shape[1], k_SD.dtype, k_SD.device);
        var hidden = new bool[count * blocks * KvCache.BlockPositions];
        Array.Fill(hidden, true);
        for (var i = 0; i < sequences.Length; i++)
        {
            var before = first[i] % KvCache.BlockPositions;
            hidden.AsSpan(i * blocks * KvCache.BlockPositions + before, sequences[i].Start - first[i] + 1).Clear();
        }
        var k_SGhm = Filled(block => block.K).permute(0, 2, 3, 1);
        var v_SGmh = Filled(block => block.V).permute(0, 2, 1, 3);
        var q_SGrh = q_SHh.to(ScalarType.Float32).reshape(count, groups, heads / groups, width);
        using Scalar scale = 1 / Math.Sqrt(width), never = double.NegativeInfinity;
        var hidden_S11m = tensor(hidden, [count, 1, 1, (long)blocks * KvCache.BlockPositions], ScalarType.Bool, q_SHh.device);
        var p_SGrm = q_SGrh.matmul(k_SGhm).mul(scale).masked_fill(hidden_S11m, never).softmax(-1);
        return p_SGrm.matmul(v_SGmh).reshape(count, heads * width).to(q_SHh.dtype);

        Tensor Filled(Func<TorchKvBlock, Tensor> of) =>
            cat([.. held.SelectMany(own => own.Select(of).Concat(Enumerable.Repeat(filler, blocks - own.Count)))])
                .view(count, (long)blocks * KvCache.BlockPositions, groups, width).to(ScalarType.Float32);
    }
}
