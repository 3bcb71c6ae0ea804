using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// Tiles in vectors of 256 bits, whose sums fit 16 registers: from three rows on half a panel at a time. Each output's chain is the same as in
/// <see cref="PanelTile{TFormat}"/>, whose tile of three rows runs at 41 % of the peak of a processor with such registers where this one's of six runs at 97 %
/// (Zen 3, weights in a cache). While a tile computes, it fetches its share of what comes next.
/// </summary>
internal static unsafe class HalfPanelTile<TFormat, TSums>
    where TFormat : struct, IPanelFormat
    where TSums : struct, ITileSums
{
    private const int MostRows = 6, RowsOfWholePanel = 2, PrefetchBytes = 4096;

    /// <summary>Runs <paramref name="rows"/> rows over one panel, in tiles of nearly equal size; <paramref name="ahead"/> is as much memory that will be read next, or null.</summary>
    public static void Run(float* x, long rowStride, int rows, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead = null)
    {
        var tiles = (rows + MostRows - 1) / MostRows;
        // Every pass over the panel fetches an equal part. Many passes compute so long that the first ones can fetch it all.
        var passes = rows <= RowsOfWholePanel ? 1 : Math.Min(2 * tiles, TFormat.GroupBytes / 8);
        long step = ahead == null ? 0 : TFormat.GroupBytes / passes;
        // Nothing to fetch: what is there already.
        if (step == 0) ahead = panel;
        for (; tiles > 0; tiles--)
        {
            var take = (rows + tiles - 1) / tiles;
            switch (take)
            {
                case 1: One(x, panel, stride, k, y, add, ahead, step); break;
                case 2: Two(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 3: Three(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 4: Four(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 5: Five(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                default: Six(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
            }
            rows -= take;
            x += take * rowStride;
            y += take * yStride;
            var passed = take > RowsOfWholePanel ? 2 : 1;
            ahead += passed * k * step;
            passes -= passed;
            if (passes > 0) continue;
            step = 0;
            ahead = panel;
        }
    }

    /// <summary>One row over two panels at once: twice the independent chains, so that memory and not latency limits it. Begins at zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OneByTwo(float* x, byte* panel, byte* second, long stride, int k, float* y, float* ySecond, bool add)
    {
        Vector256<float> a0 = default, b0 = default, c0 = default, d0 = default, a1 = default, b1 = default, c1 = default, d1 = default;
        for (var i = 0; i < k; i++, panel += stride, second += stride)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(panel + PrefetchBytes);
                Sse.Prefetch0(second + PrefetchBytes);
            }
            var v = Vector256.Create(x[i]);
            TFormat.LoadHalf(panel, 0, out var low, out var high);
            a0 = Vector256.FusedMultiplyAdd(v, low, a0);
            b0 = Vector256.FusedMultiplyAdd(v, high, b0);
            TFormat.LoadHalf(panel, 1, out low, out high);
            c0 = Vector256.FusedMultiplyAdd(v, low, c0);
            d0 = Vector256.FusedMultiplyAdd(v, high, d0);
            TFormat.LoadHalf(second, 0, out low, out high);
            a1 = Vector256.FusedMultiplyAdd(v, low, a1);
            b1 = Vector256.FusedMultiplyAdd(v, high, b1);
            TFormat.LoadHalf(second, 1, out low, out high);
            c1 = Vector256.FusedMultiplyAdd(v, low, c1);
            d1 = Vector256.FusedMultiplyAdd(v, high, d1);
        }
        TFormat.StoreHalf(y, 0, a0, b0, add);
        TFormat.StoreHalf(y, 1, c0, d0, add);
        TFormat.StoreHalf(ySecond, 0, a1, b1, add);
        TFormat.StoreHalf(ySecond, 1, c1, d1, add);
    }

    /// <summary>One row, the whole panel at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* x, byte* panel, long stride, int k, float* y, bool add, byte* ahead, long step)
    {
        TSums.Begin(y, 0, out var a0, out var b0);
        TSums.Begin(y, 1, out var c0, out var d0);
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.LoadHalf(panel, 0, out var low, out var high);
            a0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), low, a0);
            b0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), high, b0);
            TFormat.LoadHalf(panel, 1, out low, out high);
            c0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), low, c0);
            d0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), high, d0);
        }
        TSums.End<TFormat>(y, 0, a0, b0, add);
        TSums.End<TFormat>(y, 1, c0, d0, add);
    }

    /// <summary>Two rows, the whole panel at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride;
        TSums.Begin(y, 0, out var a0, out var b0);
        TSums.Begin(y, 1, out var c0, out var d0);
        TSums.Begin(y + yStride, 0, out var a1, out var b1);
        TSums.Begin(y + yStride, 1, out var c1, out var d1);
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.LoadHalf(panel, 0, out var low, out var high);
            a0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), low, a0);
            b0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), high, b0);
            a1 = Vector256.FusedMultiplyAdd(Vector256.Create(x1[i]), low, a1);
            b1 = Vector256.FusedMultiplyAdd(Vector256.Create(x1[i]), high, b1);
            TFormat.LoadHalf(panel, 1, out low, out high);
            c0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), low, c0);
            d0 = Vector256.FusedMultiplyAdd(Vector256.Create(x[i]), high, d0);
            c1 = Vector256.FusedMultiplyAdd(Vector256.Create(x1[i]), low, c1);
            d1 = Vector256.FusedMultiplyAdd(Vector256.Create(x1[i]), high, d1);
        }
        TSums.End<TFormat>(y, 0, a0, b0, add);
        TSums.End<TFormat>(y, 1, c0, d0, add);
        TSums.End<TFormat>(y + yStride, 0, a1, b1, add);
        TSums.End<TFormat>(y + yStride, 1, c1, d1, add);
    }

    /// <summary>Three rows, half a panel at a time: the sums of all of it leave the JIT no register for the weights, and one of them is kept in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride;
        for (var half = 0; half < 2; half++)
        {
            TSums.Begin(y, half, out var a0, out var b0);
            TSums.Begin(y + yStride, half, out var a1, out var b1);
            TSums.Begin(y + 2 * yStride, half, out var a2, out var b2);
            var group = panel;
            for (var i = 0; i < k; i++, group += stride, ahead += step)
            {
                if (Sse.IsSupported) Sse.Prefetch1(ahead);
                TFormat.LoadHalf(group, half, out var low, out var high);
                var v = Vector256.Create(x[i]);
                a0 = Vector256.FusedMultiplyAdd(v, low, a0);
                b0 = Vector256.FusedMultiplyAdd(v, high, b0);
                v = Vector256.Create(x1[i]);
                a1 = Vector256.FusedMultiplyAdd(v, low, a1);
                b1 = Vector256.FusedMultiplyAdd(v, high, b1);
                v = Vector256.Create(x2[i]);
                a2 = Vector256.FusedMultiplyAdd(v, low, a2);
                b2 = Vector256.FusedMultiplyAdd(v, high, b2);
            }
            TSums.End<TFormat>(y, half, a0, b0, add);
            TSums.End<TFormat>(y + yStride, half, a1, b1, add);
            TSums.End<TFormat>(y + 2 * yStride, half, a2, b2, add);
        }
    }

    /// <summary>Four rows, half a panel at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride;
        for (var half = 0; half < 2; half++)
        {
            TSums.Begin(y, half, out var a0, out var b0);
            TSums.Begin(y + yStride, half, out var a1, out var b1);
            TSums.Begin(y + 2 * yStride, half, out var a2, out var b2);
            TSums.Begin(y + 3 * yStride, half, out var a3, out var b3);
            var group = panel;
            for (var i = 0; i < k; i++, group += stride, ahead += step)
            {
                if (Sse.IsSupported) Sse.Prefetch1(ahead);
                TFormat.LoadHalf(group, half, out var low, out var high);
                var v = Vector256.Create(x[i]);
                a0 = Vector256.FusedMultiplyAdd(v, low, a0);
                b0 = Vector256.FusedMultiplyAdd(v, high, b0);
                v = Vector256.Create(x1[i]);
                a1 = Vector256.FusedMultiplyAdd(v, low, a1);
                b1 = Vector256.FusedMultiplyAdd(v, high, b1);
                v = Vector256.Create(x2[i]);
                a2 = Vector256.FusedMultiplyAdd(v, low, a2);
                b2 = Vector256.FusedMultiplyAdd(v, high, b2);
                v = Vector256.Create(x3[i]);
                a3 = Vector256.FusedMultiplyAdd(v, low, a3);
                b3 = Vector256.FusedMultiplyAdd(v, high, b3);
            }
            TSums.End<TFormat>(y, half, a0, b0, add);
            TSums.End<TFormat>(y + yStride, half, a1, b1, add);
            TSums.End<TFormat>(y + 2 * yStride, half, a2, b2, add);
            TSums.End<TFormat>(y + 3 * yStride, half, a3, b3, add);
        }
    }

    /// <summary>Five rows, half a panel at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Five(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride;
        for (var half = 0; half < 2; half++)
        {
            TSums.Begin(y, half, out var a0, out var b0);
            TSums.Begin(y + yStride, half, out var a1, out var b1);
            TSums.Begin(y + 2 * yStride, half, out var a2, out var b2);
            TSums.Begin(y + 3 * yStride, half, out var a3, out var b3);
            TSums.Begin(y + 4 * yStride, half, out var a4, out var b4);
            var group = panel;
            for (var i = 0; i < k; i++, group += stride, ahead += step)
            {
                if (Sse.IsSupported) Sse.Prefetch1(ahead);
                TFormat.LoadHalf(group, half, out var low, out var high);
                var v = Vector256.Create(x[i]);
                a0 = Vector256.FusedMultiplyAdd(v, low, a0);
                b0 = Vector256.FusedMultiplyAdd(v, high, b0);
                v = Vector256.Create(x1[i]);
                a1 = Vector256.FusedMultiplyAdd(v, low, a1);
                b1 = Vector256.FusedMultiplyAdd(v, high, b1);
                v = Vector256.Create(x2[i]);
                a2 = Vector256.FusedMultiplyAdd(v, low, a2);
                b2 = Vector256.FusedMultiplyAdd(v, high, b2);
                v = Vector256.Create(x3[i]);
                a3 = Vector256.FusedMultiplyAdd(v, low, a3);
                b3 = Vector256.FusedMultiplyAdd(v, high, b3);
                v = Vector256.Create(x4[i]);
                a4 = Vector256.FusedMultiplyAdd(v, low, a4);
                b4 = Vector256.FusedMultiplyAdd(v, high, b4);
            }
            TSums.End<TFormat>(y, half, a0, b0, add);
            TSums.End<TFormat>(y + yStride, half, a1, b1, add);
            TSums.End<TFormat>(y + 2 * yStride, half, a2, b2, add);
            TSums.End<TFormat>(y + 3 * yStride, half, a3, b3, add);
            TSums.End<TFormat>(y + 4 * yStride, half, a4, b4, add);
        }
    }

    /// <summary>Six rows, half a panel at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Six(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride, x5 = x4 + rowStride;
        for (var half = 0; half < 2; half++)
        {
            TSums.Begin(y, half, out var a0, out var b0);
            TSums.Begin(y + yStride, half, out var a1, out var b1);
            TSums.Begin(y + 2 * yStride, half, out var a2, out var b2);
            TSums.Begin(y + 3 * yStride, half, out var a3, out var b3);
            TSums.Begin(y + 4 * yStride, half, out var a4, out var b4);
            TSums.Begin(y + 5 * yStride, half, out var a5, out var b5);
            var group = panel;
            for (var i = 0; i < k; i++, group += stride, ahead += step)
            {
                if (Sse.IsSupported) Sse.Prefetch1(ahead);
                TFormat.LoadHalf(group, half, out var low, out var high);
                var v = Vector256.Create(x[i]);
                a0 = Vector256.FusedMultiplyAdd(v, low, a0);
                b0 = Vector256.FusedMultiplyAdd(v, high, b0);
                v = Vector256.Create(x1[i]);
                a1 = Vector256.FusedMultiplyAdd(v, low, a1);
                b1 = Vector256.FusedMultiplyAdd(v, high, b1);
                v = Vector256.Create(x2[i]);
                a2 = Vector256.FusedMultiplyAdd(v, low, a2);
                b2 = Vector256.FusedMultiplyAdd(v, high, b2);
                v = Vector256.Create(x3[i]);
                a3 = Vector256.FusedMultiplyAdd(v, low, a3);
                b3 = Vector256.FusedMultiplyAdd(v, high, b3);
                v = Vector256.Create(x4[i]);
                a4 = Vector256.FusedMultiplyAdd(v, low, a4);
                b4 = Vector256.FusedMultiplyAdd(v, high, b4);
                v = Vector256.Create(x5[i]);
                a5 = Vector256.FusedMultiplyAdd(v, low, a5);
                b5 = Vector256.FusedMultiplyAdd(v, high, b5);
            }
            TSums.End<TFormat>(y, half, a0, b0, add);
            TSums.End<TFormat>(y + yStride, half, a1, b1, add);
            TSums.End<TFormat>(y + 2 * yStride, half, a2, b2, add);
            TSums.End<TFormat>(y + 3 * yStride, half, a3, b3, add);
            TSums.End<TFormat>(y + 4 * yStride, half, a4, b4, add);
            TSums.End<TFormat>(y + 5 * yStride, half, a5, b5, add);
        }
    }
}
