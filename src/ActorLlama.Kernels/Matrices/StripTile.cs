using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ActorLlama.Kernels;

/// <summary>
/// One row times a wide strip of an [in,out] matrix read in place. Going down one narrow panel would touch a new page for every k, so
/// this takes the strip's whole width for four k at a time and keeps the sums in memory (first-level cache). Each output's chain is
/// the same as in <see cref="PanelTile{TFormat}"/>.
/// </summary>
internal static unsafe class StripTile<TFormat> where TFormat : struct, IPanelFormat
{
    private const int RowsAhead = 4;

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

    /// <summary>Copies the groups of <paramref name="panels"/> panels for <paramref name="k"/> values of k so that each panel is contiguous.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(byte* weights, long stride, int panels, int k, byte* to)
    {
        var panelBytes = (long)k * TFormat.GroupBytes;
        for (var i = 0; i < k; i++, weights += stride, to += TFormat.GroupBytes)
            for (var p = 0; p < panels; p++)
                for (var b = 0; b < TFormat.GroupBytes; b += 64)
                {
                    var group = weights + p * TFormat.GroupBytes + b;
                    if (Sse.IsSupported) Sse.Prefetch0(group + RowsAhead * stride);
                    Vector512.Load(group).Store(to + p * panelBytes + b);
                }
    }
}
