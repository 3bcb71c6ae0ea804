using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// Attention of the query heads that share one KV head, at neighbouring positions of one sequence, over blocks of 64 absolute positions in ascending order
/// (spec 2.7, 2.8). Scores, softmax and its weights are float32. The running maximum, sum and output of a query change block by block, so its
/// result depends on the position and on what the cache holds, never on how the prompt was cut, which positions go together or who computes it.
/// </summary>
public static unsafe class BlockAttention
{
    private const int Positions = KvLayout.Positions;

    /// <summary>Queries that go over a block together fill tiles of this many rows; more would leave the caches.</summary>
    private const int RowsTogether = 24;

    /// <summary>Bytes of scratch that <see cref="Run"/> needs for so many queries of so many positions.</summary>
    public static long ScratchBytes(KvLayout layout, int queries, int positions) => (long)queries * positions * (layout.HeadDim + Positions + 2 * layout.ValueWidth + 2) * sizeof(float);

    /// <summary>How many neighbouring positions to give to one <see cref="Run"/>.</summary>
    public static int PositionsTogether(int queries) => Math.Max(1, RowsTogether / queries);

    /// <summary>
    /// <paramref name="q"/> and <paramref name="output"/> are [queries, HeadDim] for each position, <paramref name="stride"/> floats from one position to the next;
    /// position i is <paramref name="position"/> + i and sees keys from <paramref name="firstKey"/> to itself. <paramref name="blocks"/>[b] is the block of positions
    /// from 64·b.
    /// </summary>
    public static void Run(
        KvLayout layout, int kvHead, float* q, long stride, int queries, int positions, int firstKey, int position, ReadOnlySpan<nint> blocks, float* output, bool round, byte* scratch)
    {
        if (layout.IsBf16) Run<PlainBf16>(layout, kvHead, q, stride, queries, positions, firstKey, position, blocks, output, round, (float*)scratch);
        else Run<Float32>(layout, kvHead, q, stride, queries, positions, firstKey, position, blocks, output, round, (float*)scratch);
    }

    private static void Run<TFormat>(
        KvLayout layout, int kvHead, float* q, long stride, int queries, int positions, int firstKey, int position, ReadOnlySpan<nint> blocks, float* output, bool round, float* scratch)
        where TFormat : struct, IPanelFormat
    {
        int dim = layout.HeadDim, width = layout.ValueWidth, element = layout.ElementBytes, rows = queries * positions;
        var x = scratch;
        var weights = x + (long)rows * dim;
        var sum = weights + rows * Positions;
        var part = sum + (long)rows * width;
        var maxima = part + (long)rows * width;
        var totals = maxima + rows;
        var scale = 1f / MathF.Sqrt(dim);
        for (var i = 0; i < positions; i++) Buffer.MemoryCopy(q + i * stride, x + (long)i * queries * dim, (long)queries * dim * 4, (long)queries * dim * 4);

        for (var block = firstKey / Positions; block <= (position + positions - 1) / Positions; block++)
        {
            var start = block * Positions;
            var first = Math.Max(firstKey - start, 0);
            // Positions before the block do not see it.
            var begin = Math.Max(0, start - position) * queries;
            var keys = (byte*)blocks[block] + layout.KeyOffset(kvHead);
            // Keys that no row sees are not read.
            for (var half = 0; half < Math.Min(Positions, position + positions - start); half += WeightPanels.Width)
                Multiply<TFormat>(x + (long)begin * dim, dim, rows - begin, keys + half * element, Positions * element, dim, weights + begin * Positions + half, Positions);

            var isFirst = start <= firstKey;
            for (var n = begin; n < rows; n++)
            {
                var last = Math.Min(position + n / queries - start, Positions - 1);
                var factor = Softmax(weights + n * Positions, first, last, scale, isFirst, ref maxima[n], ref totals[n]);
                if (!isFirst) RowMath.Scale(sum + n * width, factor, width, sum + n * width, round: false);
            }

            // All rows together where they see the whole block; otherwise each position has a last key of its own.
            var isWhole = start + Positions - 1 <= position;
            for (var n = begin; n < rows; n += isWhole ? rows : queries)
            {
                var (count, last) = isWhole ? (rows, Positions - 1) : (queries, Math.Min(position + n / queries - start, Positions - 1));
                var values = (byte*)blocks[block] + layout.ValueOffset(kvHead) + (long)first * width * element;
                for (var d = 0; d < width; d += WeightPanels.Width)
                    Multiply<TFormat>(weights + n * Positions + first, Positions, count, values + d * element, width * element, last - first + 1, part + (long)n * width + d, width);
            }
            var (place, bytes) = ((long)begin * width, (long)(rows - begin) * width * 4);
            if (isFirst) Buffer.MemoryCopy(part + place, sum + place, bytes, bytes);
            else RowMath.Add(sum + place, part + place, (long)(rows - begin) * width, sum + place, round: false);
        }

        for (var n = 0; n < rows; n++)
        {
            var to = output + n / queries * stride + n % queries * dim;
            for (var d = 0; d < dim; d++) to[d] = sum[n * width + d] / totals[n];
            if (round) Bf16.Round(to, dim);
        }
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
        if (!Vector512.IsHardwareAccelerated) return HalfSoftmax(scores, scale, isFirst, ref maximum, ref total);
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

    /// <summary>The same in vectors of 256 bits, sums and maxima in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float HalfSoftmax(float* scores, float scale, bool isFirst, ref float maximum, ref float total)
    {
        var s = Vector256.Create(scale);
        Vector256<float> a = Vector256.Load(scores) * s, b = Vector256.Load(scores + 16) * s, c = Vector256.Load(scores + 32) * s, d = Vector256.Load(scores + 48) * s;
        Vector256<float> e = Vector256.Load(scores + 8) * s, f = Vector256.Load(scores + 24) * s, g = Vector256.Load(scores + 40) * s, h = Vector256.Load(scores + 56) * s;
        var max = LaneMath.Max(
            LaneMath.Greater(LaneMath.Greater(a, b), LaneMath.Greater(c, d)), LaneMath.Greater(LaneMath.Greater(e, f), LaneMath.Greater(g, h)));
        if (!isFirst && maximum > max) max = maximum;
        var m = Vector256.Create(max);
        (a, b, c, d) = (LaneMath.Exp(a - m), LaneMath.Exp(b - m), LaneMath.Exp(c - m), LaneMath.Exp(d - m));
        (e, f, g, h) = (LaneMath.Exp(e - m), LaneMath.Exp(f - m), LaneMath.Exp(g - m), LaneMath.Exp(h - m));
        a.Store(scores);
        e.Store(scores + 8);
        b.Store(scores + 16);
        f.Store(scores + 24);
        c.Store(scores + 32);
        g.Store(scores + 40);
        d.Store(scores + 48);
        h.Store(scores + 56);
        var sum = LaneMath.Sum((a + b) + (c + d), (e + f) + (g + h));
        var factor = isFirst ? 1f : LaneMath.Exp(maximum - max);
        total = isFirst ? sum : MathF.FusedMultiplyAdd(total, factor, sum);
        maximum = max;
        return factor;
    }
}
