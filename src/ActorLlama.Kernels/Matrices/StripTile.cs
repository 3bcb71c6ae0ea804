using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// A few rows times a wide strip of an [in,out] matrix read in place. Going down one narrow panel would touch a new page for every k, so
/// this takes the strip's whole width for some k at a time and keeps the sums in memory (first-level cache). Each output's chain is
/// the same as in <see cref="PanelTile{TFormat}"/>.
/// </summary>
internal static unsafe class StripTile<TFormat> where TFormat : struct, IPanelFormat
{
    private const int RowsAhead = 4;

    /// <summary>Values of k that several rows go over before the next panel.</summary>
    private const int Together = 16;

    /// <summary>As <see cref="Run(float*, byte*, long, int, int, float*, float*, bool)"/> for several rows; <paramref name="sums"/> has 32 floats a panel and row.</summary>
    public static void Run(float* x, long xStride, int rows, byte* weights, long stride, int panels, int k, float* sums, float* y, long yStride, bool add)
    {
        var width = 32L * panels;
        new Span<float>(sums, checked((int)(rows * width))).Clear();
        for (var i = 0; i < k; i += Together)
        {
            var group = weights + i * stride;
            var count = Math.Min(Together, k - i);
            for (var p = 0; p < panels; p++, group += TFormat.GroupBytes)
            {
                Prefetch(group + count * stride, stride, Math.Min(Together, k - i - count));
                HalfPanelTile<TFormat, KeptSums>.Run(x + i, xStride, rows, group, stride, count, sums + 32 * p, width, add: false);
            }
        }
        for (var r = 0; r < rows; r++)
            for (var p = 0; p < panels; p++)
            {
                var from = sums + r * width + 32 * p;
                var to = y + r * yStride + 32 * p;
                for (var half = 0; half < 2; half++) TFormat.StoreHalf(to, half, Vector256.Load(from + 16 * half), Vector256.Load(from + 16 * half + 8), add);
            }
    }

    /// <summary>Into the second-level cache: distances of whole pages would meet in one set of the first.</summary>
    private static void Prefetch(byte* group, long stride, int count)
    {
        if (!Sse.IsSupported) return;
        for (var i = 0; i < count; i++, group += stride)
            for (var b = 0; b < TFormat.GroupBytes; b += 64) Sse.Prefetch1(group + b);
    }

    /// <summary>Runs at most 512 values of k over <paramref name="panels"/> panels that lie side by side; <paramref name="sums"/> has 32 floats a panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, byte* weights, long stride, int panels, int k, float* sums, float* y, bool add)
    {
        for (var p = 0; p < panels; p++)
        {
            Vector512<float>.Zero.Store(sums + 32 * p);
            Vector512<float>.Zero.Store(sums + 32 * p + 16);
        }
        var i = 0;
        for (; i + 4 <= k; i += 4)
        {
            var x0 = Vector512.Create(x[i]);
            var x1 = Vector512.Create(x[i + 1]);
            var x2 = Vector512.Create(x[i + 2]);
            var x3 = Vector512.Create(x[i + 3]);
            var group = weights + i * stride;
            var s = sums;
            for (var p = 0; p < panels; p++, group += TFormat.GroupBytes, s += 32)
            {
                if (Sse.IsSupported)
                {
                    var ahead = group + RowsAhead * stride;
                    Sse.Prefetch0(ahead);
                    Sse.Prefetch0(ahead + stride);
                    Sse.Prefetch0(ahead + 2 * stride);
                    Sse.Prefetch0(ahead + 3 * stride);
                }
                var a = Vector512.Load(s);
                var b = Vector512.Load(s + 16);
                TFormat.Load(group, out var low, out var high);
                a = Vector512.FusedMultiplyAdd(x0, low, a);
                b = Vector512.FusedMultiplyAdd(x0, high, b);
                TFormat.Load(group + stride, out low, out high);
                a = Vector512.FusedMultiplyAdd(x1, low, a);
                b = Vector512.FusedMultiplyAdd(x1, high, b);
                TFormat.Load(group + 2 * stride, out low, out high);
                a = Vector512.FusedMultiplyAdd(x2, low, a);
                b = Vector512.FusedMultiplyAdd(x2, high, b);
                TFormat.Load(group + 3 * stride, out low, out high);
                a = Vector512.FusedMultiplyAdd(x3, low, a);
                b = Vector512.FusedMultiplyAdd(x3, high, b);
                a.Store(s);
                b.Store(s + 16);
            }
        }
        for (; i < k; i++)
        {
            var x0 = Vector512.Create(x[i]);
            for (var p = 0; p < panels; p++)
            {
                TFormat.Load(weights + i * stride + p * TFormat.GroupBytes, out var low, out var high);
                Vector512.FusedMultiplyAdd(x0, low, Vector512.Load(sums + 32 * p)).Store(sums + 32 * p);
                Vector512.FusedMultiplyAdd(x0, high, Vector512.Load(sums + 32 * p + 16)).Store(sums + 32 * p + 16);
            }
        }
        for (var p = 0; p < panels; p++) TFormat.Store(y + 32 * p, Vector512.Load(sums + 32 * p), Vector512.Load(sums + 32 * p + 16), add);
    }
}

/// <summary>What strips of every format have in common.</summary>
internal static unsafe class StripTile
{
    private const int RowsAhead = 8;

    /// <summary>
    /// Copies the groups of <paramref name="panels"/> panels, <paramref name="panelStride"/> bytes apart, for <paramref name="k"/> values of k, <paramref name="stride"/>
    /// bytes apart, so that each panel is contiguous; past the caches with <paramref name="isLasting"/>: <paramref name="to"/>, then a multiple of 64, will not be read soon.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(byte* weights, long panelStride, long stride, int panels, int k, int groupBytes, byte* to, bool isLasting)
    {
        var panelBytes = (long)k * groupBytes;
        for (var i = 0; i < k; i++, weights += stride, to += groupBytes)
            for (var p = 0; p < panels; p++)
                for (var b = 0; b < groupBytes; b += 64)
                {
                    var group = weights + p * panelStride + b;
                    if (Sse.IsSupported) Sse.Prefetch0(group + RowsAhead * stride);
                    var line = to + p * panelBytes + b;
                    if (isLasting)
                    {
                        Vector256.Load(group).StoreAlignedNonTemporal(line);
                        Vector256.Load(group + 32).StoreAlignedNonTemporal(line + 32);
                    }
                    else Vector512.Load(group).Store(line);
                }
        if (isLasting && Sse.IsSupported) Sse.StoreFence();
    }
}
