using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// Attention of the query heads that share one KV head, at one position, over blocks of 64 absolute positions in ascending order
/// (spec 2.7, 2.8). Scores, softmax and its weights are float32. The running maximum, sum and output change block by block, so the
/// result depends on the position and on what the cache holds, never on how the prompt was cut or who computes it.
/// </summary>
public static unsafe class BlockAttention
{
    private const int Positions = KvLayout.Positions;

    /// <summary>Bytes of scratch that <see cref="Run"/> needs.</summary>
    public static long ScratchBytes(KvLayout layout, int queries) => (long)queries * (Positions + 2 * layout.ValueWidth + 2) * sizeof(float);

    /// <summary>
    /// <paramref name="q"/> and <paramref name="output"/> are [queries, HeadDim]; keys from <paramref name="firstKey"/> to
    /// <paramref name="position"/> are seen. <paramref name="blocks"/>[b] is the block of positions from 64·b.
    /// </summary>
    public static void Run(KvLayout layout, int kvHead, float* q, int queries, int firstKey, int position, ReadOnlySpan<nint> blocks, float* output, bool round, byte* scratch)
    {
        if (layout.IsBf16) Run<PlainBf16>(layout, kvHead, q, queries, firstKey, position, blocks, output, (float*)scratch);
        else Run<Float32>(layout, kvHead, q, queries, firstKey, position, blocks, output, (float*)scratch);
        if (round) Bf16.Round(output, (long)queries * layout.HeadDim);
    }

    private static void Run<TFormat>(KvLayout layout, int kvHead, float* q, int queries, int firstKey, int position, ReadOnlySpan<nint> blocks, float* output, float* scratch)
        where TFormat : struct, IPanelFormat
    {
        int dim = layout.HeadDim, width = layout.ValueWidth, element = layout.ElementBytes;
        var weights = scratch;
        var sum = weights + queries * Positions;
        var part = sum + queries * width;
        var maxima = part + queries * width;
        var totals = maxima + queries;
        var scale = 1f / MathF.Sqrt(dim);

        for (var block = firstKey / Positions; block <= position / Positions; block++)
        {
            var start = block * Positions;
            int first = Math.Max(firstKey - start, 0), last = Math.Min(position - start, Positions - 1);
            var keys = (byte*)blocks[block] + layout.KeyOffset(kvHead);
            for (var half = 0; half < Positions; half += WeightPanels.Width)
                Multiply<TFormat>(q, dim, queries, keys + half * element, Positions * element, dim, weights + half, Positions);

            var isFirst = start <= firstKey;
            for (var n = 0; n < queries; n++)
            {
                var factor = Softmax(weights + n * Positions, first, last, scale, isFirst, ref maxima[n], ref totals[n]);
                if (!isFirst) RowMath.Scale(sum + n * width, factor, width, sum + n * width, round: false);
            }

            var values = (byte*)blocks[block] + layout.ValueOffset(kvHead) + (long)first * width * element;
            for (var d = 0; d < width; d += WeightPanels.Width)
                Multiply<TFormat>(weights + first, Positions, queries, values + d * element, width * element, last - first + 1, part + d, width);
            if (isFirst) Buffer.MemoryCopy(part, sum, (long)queries * width * 4, (long)queries * width * 4);
            else RowMath.Add(sum, part, (long)queries * width, sum, round: false);
        }

        for (var n = 0; n < queries; n++)
            for (var d = 0; d < dim; d++) output[n * dim + d] = sum[n * width + d] / totals[n];
    }

    private static void Multiply<TFormat>(float* x, long xStride, int rows, byte* panel, long stride, int inputs, float* y, long yStride) where TFormat : struct, IPanelFormat
    {
        for (var k = 0; k < inputs; k += Product.PartialInputs)
            PanelTile<TFormat>.Run(x + k, xStride, rows, panel + k * stride, stride, Math.Min(Product.PartialInputs, inputs - k), y, yStride, k > 0);
    }

    /// <summary>
    /// Scores to weights relative to the new maximum; those outside [first, last] become zero. Returns by how much earlier sums shrink.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Softmax(float* scores, int first, int last, float scale, bool isFirst, ref float maximum, ref float total)
    {
        for (var j = 0; j < first; j++) scores[j] = float.NegativeInfinity;
        for (var j = last + 1; j < Positions; j++) scores[j] = float.NegativeInfinity;
        var s = Vector512.Create(scale);
        Vector512<float> a = Vector512.Load(scores) * s, b = Vector512.Load(scores + 16) * s, c = Vector512.Load(scores + 32) * s, d = Vector512.Load(scores + 48) * s;
        var max = LaneMath.Max(LaneMath.Max(LaneMath.Max(a, b), LaneMath.Max(c, d)));
        if (!isFirst && maximum > max) max = maximum;
        var m = Vector512.Create(max);
        (a, b, c, d) = (LaneMath.Exp(a - m), LaneMath.Exp(b - m), LaneMath.Exp(c - m), LaneMath.Exp(d - m));
        a.Store(scores);
        b.Store(scores + 16);
        c.Store(scores + 32);
        d.Store(scores + 48);
        var sum = LaneMath.Sum((a + b) + (c + d));
        var factor = isFirst ? 1f : LaneMath.Exp(maximum - max);
        total = isFirst ? sum : MathF.FusedMultiplyAdd(total, factor, sum);
        maximum = max;
        return factor;
    }
}
