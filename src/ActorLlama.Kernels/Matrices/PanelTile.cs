using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// The innermost loops of every matrix product: a few rows of x times the 32 outputs of one panel, over at most 512 values of k. Each
/// output is one chain of fused multiply-adds over ascending k that starts at zero, whatever the number of rows. x is
/// <c>rowStride</c> floats from row to row; the groups of the panel are <c>stride</c> bytes apart.
/// </summary>
internal static unsafe class PanelTile<TFormat> where TFormat : struct, IPanelFormat
{
    private const int PrefetchBytes = 4096;

    /// <summary>Runs <paramref name="rows"/> rows over one panel; <paramref name="ahead"/> is as much memory that will be read next, or null.</summary>
    public static void Run(float* x, long rowStride, int rows, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead = null)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            HalfPanelTile<TFormat, WholeSums>.Run(x, rowStride, rows, panel, stride, k, y, yStride, add, ahead);
            return;
        }
        for (; rows >= 8; rows -= 8, x += 8 * rowStride, y += 8 * yStride) Eight(x, rowStride, panel, stride, k, y, yStride, add);
        for (; rows >= 5 || rows == 3; rows -= 3, x += 3 * rowStride, y += 3 * yStride) Three(x, rowStride, panel, stride, k, y, yStride, add);
        for (; rows >= 2; rows -= 2, x += 2 * rowStride, y += 2 * yStride) Two(x, rowStride, panel, stride, k, y, yStride, add);
        if (rows == 1) One(x, panel, stride, k, y, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        if (Sse.IsSupported) Sse.Prefetch0(address + PrefetchBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* x, byte* panel, long stride, int k, float* y, bool add)
    {
        Vector512<float> a0 = default, b0 = default;
        for (var i = 0; i < k; i++, panel += stride)
        {
            TFormat.Load(panel, out var low, out var high);
            Prefetch(panel);
            var x0 = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(x0, low, a0);
            b0 = Vector512.FusedMultiplyAdd(x0, high, b0);
        }
        TFormat.Store(y, a0, b0, add);
    }

    /// <summary>One row over two panels, in the vectors that suit the host.</summary>
    public static void RunTwoPanels(float* x, byte* panel, byte* second, long stride, int k, float* y, float* ySecond, bool add)
    {
        if (Vector512.IsHardwareAccelerated) OneByTwo(x, panel, second, stride, k, y, ySecond, add);
        else HalfPanelTile<TFormat, WholeSums>.OneByTwo(x, panel, second, stride, k, y, ySecond, add);
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
            Prefetch(panel);
            a0 = Vector512.FusedMultiplyAdd(x0, low, a0);
            b0 = Vector512.FusedMultiplyAdd(x0, high, b0);
            TFormat.Load(second, out low, out high);
            Prefetch(second);
            a1 = Vector512.FusedMultiplyAdd(x0, low, a1);
            b1 = Vector512.FusedMultiplyAdd(x0, high, b1);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(ySecond, a1, b1, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add)
    {
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default;
        for (var i = 0; i < k; i++, panel += stride)
        {
            TFormat.Load(panel, out var low, out var high);
            Prefetch(panel);
            var x0 = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(x0, low, a0);
            b0 = Vector512.FusedMultiplyAdd(x0, high, b0);
            x0 = Vector512.Create(x[rowStride + i]);
            a1 = Vector512.FusedMultiplyAdd(x0, low, a1);
            b1 = Vector512.FusedMultiplyAdd(x0, high, b1);
        }
        TFormat.Store(y, a0, b0, add);
        TFormat.Store(y + yStride, a1, b1, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Three(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add)
    {
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default;
        float* x1 = x + rowStride, x2 = x1 + rowStride;
        for (var i = 0; i < k; i++, panel += stride)
        {
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
    internal static void Eight(float* x, long rowStride, byte* panel, long stride, int k, float* y, long yStride, bool add)
    {
        Vector512<float> a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        Vector512<float> a4 = default, b4 = default, a5 = default, b5 = default, a6 = default, b6 = default, a7 = default, b7 = default;
        float* x1 = x + rowStride, x2 = x1 + rowStride, x3 = x2 + rowStride, x4 = x3 + rowStride, x5 = x4 + rowStride, x6 = x5 + rowStride, x7 = x6 + rowStride;
        for (var i = 0; i < k; i++, panel += stride)
        {
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
