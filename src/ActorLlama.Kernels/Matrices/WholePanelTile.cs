using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// Tiles in vectors of 512 bits: a whole panel at a time for up to eight rows, whose sums fit half of 32 registers. Each output's chain is the same as in <see cref="HalfPanelTile{TFormat,TSums}"/>.
/// </summary>
internal static unsafe class WholePanelTile<TFormat> where TFormat : struct, IPanelFormat
{
    private const int MostRows = 8, PrefetchBytes = 4096;

    /// <summary>
    /// Runs <paramref name="rows"/> rows over one panel, in tiles of nearly equal size. The first reads the panel and fetches what lies a page behind: the processor itself
    /// fetches within a page only. The others find the panel in a cache.
    /// </summary>
    internal static void Run(float* x, long rowStride, int rows, byte* panel, long stride, int k, float* y, long yStride, bool add)
    {
        var ahead = panel + PrefetchBytes;
        var step = stride;
        for (var tiles = (rows + MostRows - 1) / MostRows; tiles > 0; tiles--)
        {
            var take = (rows + tiles - 1) / tiles;
            switch (take)
            {
                case 1: One(x, panel, stride, k, y, add, ahead, step); break;
                case 2: Two(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 3: Three(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 4: Four(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 5: Five(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 6: Six(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                case 7: Seven(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
                default: Eight(x, rowStride, panel, stride, k, y, yStride, add, ahead, step); break;
            }
            rows -= take;
            x += take * rowStride;
            y += take * yStride;
            ahead = panel;
            step = 0;
        }
    }

    /// <summary>One row over two panels at once: twice the independent chains, so that memory and not latency limits it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OneByTwo(float* x, byte* panel, byte* second, long stride, int k, float* y, float* ySecond, bool add)
    {
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default;
        for (var i = 0; i < k; i++, panel += stride, second += stride)
        {
            var x0 = Vector512.Create(x[i]);
            TFormat.Load(panel, out var low, out var high);
            if (Sse.IsSupported) Sse.Prefetch0(panel + PrefetchBytes);
            a0 = Vector512.FusedMultiplyAdd(x0, low, a0);
            b0 = Vector512.FusedMultiplyAdd(x0, high, b0);
            TFormat.Load(second, out low, out high);
            if (Sse.IsSupported) Sse.Prefetch0(second + PrefetchBytes);
            a1 = Vector512.FusedMultiplyAdd(x0, low, a1);
            b1 = Vector512.FusedMultiplyAdd(x0, high, b1);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(ySecond, a1, b1, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* x, byte* panel, long stride, int k, float* y, bool add, byte* ahead, long step)
    {
        Vector512<float> a0 = default, b0 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
        }
        TFormat.Store(y, a0, b0, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
            v = Vector512.Create(x3[i]);
            a3 = Vector512.FusedMultiplyAdd(v, low, a3);
            b3 = Vector512.FusedMultiplyAdd(v, high, b3);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
        TFormat.Store(y + 3 * yStride, a3, b3, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Five(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        Vector512<float> a4 = default, b4 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
            v = Vector512.Create(x3[i]);
            a3 = Vector512.FusedMultiplyAdd(v, low, a3);
            b3 = Vector512.FusedMultiplyAdd(v, high, b3);
            v = Vector512.Create(x4[i]);
            a4 = Vector512.FusedMultiplyAdd(v, low, a4);
            b4 = Vector512.FusedMultiplyAdd(v, high, b4);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
        TFormat.Store(y + 3 * yStride, a3, b3, add);
        TFormat.Store(y + 4 * yStride, a4, b4, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Six(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride, x5 = x4 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        Vector512<float> a4 = default, b4 = default, a5 = default, b5 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
            v = Vector512.Create(x3[i]);
            a3 = Vector512.FusedMultiplyAdd(v, low, a3);
            b3 = Vector512.FusedMultiplyAdd(v, high, b3);
            v = Vector512.Create(x4[i]);
            a4 = Vector512.FusedMultiplyAdd(v, low, a4);
            b4 = Vector512.FusedMultiplyAdd(v, high, b4);
            v = Vector512.Create(x5[i]);
            a5 = Vector512.FusedMultiplyAdd(v, low, a5);
            b5 = Vector512.FusedMultiplyAdd(v, high, b5);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
        TFormat.Store(y + 3 * yStride, a3, b3, add);
        TFormat.Store(y + 4 * yStride, a4, b4, add);
        TFormat.Store(y + 5 * yStride, a5, b5, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Seven(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride, x5 = x4 + rowStride, x6 = x5 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        Vector512<float> a4 = default, b4 = default, a5 = default, b5 = default, a6 = default, b6 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
            v = Vector512.Create(x3[i]);
            a3 = Vector512.FusedMultiplyAdd(v, low, a3);
            b3 = Vector512.FusedMultiplyAdd(v, high, b3);
            v = Vector512.Create(x4[i]);
            a4 = Vector512.FusedMultiplyAdd(v, low, a4);
            b4 = Vector512.FusedMultiplyAdd(v, high, b4);
            v = Vector512.Create(x5[i]);
            a5 = Vector512.FusedMultiplyAdd(v, low, a5);
            b5 = Vector512.FusedMultiplyAdd(v, high, b5);
            v = Vector512.Create(x6[i]);
            a6 = Vector512.FusedMultiplyAdd(v, low, a6);
            b6 = Vector512.FusedMultiplyAdd(v, high, b6);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
        TFormat.Store(y + 3 * yStride, a3, b3, add);
        TFormat.Store(y + 4 * yStride, a4, b4, add);
        TFormat.Store(y + 5 * yStride, a5, b5, add);
        TFormat.Store(y + 6 * yStride, a6, b6, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead, long step)
    {
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride, x5 = x4 + rowStride, x6 = x5 + rowStride, x7 = x6 + rowStride;
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        Vector512<float> a4 = default, b4 = default, a5 = default, b5 = default, a6 = default, b6 = default, a7 = default, b7 = default;
        for (var i = 0; i < k; i++, panel += stride, ahead += step)
        {
            if (Sse.IsSupported) Sse.Prefetch1(ahead);
            TFormat.Load(panel, out var low, out var high);
            var v = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(v, low, a0);
            b0 = Vector512.FusedMultiplyAdd(v, high, b0);
            v = Vector512.Create(x1[i]);
            a1 = Vector512.FusedMultiplyAdd(v, low, a1);
            b1 = Vector512.FusedMultiplyAdd(v, high, b1);
            v = Vector512.Create(x2[i]);
            a2 = Vector512.FusedMultiplyAdd(v, low, a2);
            b2 = Vector512.FusedMultiplyAdd(v, high, b2);
            v = Vector512.Create(x3[i]);
            a3 = Vector512.FusedMultiplyAdd(v, low, a3);
            b3 = Vector512.FusedMultiplyAdd(v, high, b3);
            v = Vector512.Create(x4[i]);
            a4 = Vector512.FusedMultiplyAdd(v, low, a4);
            b4 = Vector512.FusedMultiplyAdd(v, high, b4);
            v = Vector512.Create(x5[i]);
            a5 = Vector512.FusedMultiplyAdd(v, low, a5);
            b5 = Vector512.FusedMultiplyAdd(v, high, b5);
            v = Vector512.Create(x6[i]);
            a6 = Vector512.FusedMultiplyAdd(v, low, a6);
            b6 = Vector512.FusedMultiplyAdd(v, high, b6);
            v = Vector512.Create(x7[i]);
            a7 = Vector512.FusedMultiplyAdd(v, low, a7);
            b7 = Vector512.FusedMultiplyAdd(v, high, b7);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
        TFormat.Store(y + 2 * yStride, a2, b2, add);
        TFormat.Store(y + 3 * yStride, a3, b3, add);
        TFormat.Store(y + 4 * yStride, a4, b4, add);
        TFormat.Store(y + 5 * yStride, a5, b5, add);
        TFormat.Store(y + 6 * yStride, a6, b6, add);
        TFormat.Store(y + 7 * yStride, a7, b7, add);
    }
}
