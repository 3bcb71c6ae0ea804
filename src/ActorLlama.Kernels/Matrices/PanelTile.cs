using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels;

/// <summary>
/// The innermost loops of every matrix product: a few rows of x times the 32 outputs of one panel, over at most 512 values of k. Each
/// output is one chain of fused multiply-adds over ascending k that starts at zero, whatever the number of rows. x is
/// <c>rowStride</c> floats from row to row; the groups of the panel are <c>stride</c> bytes apart.
/// </summary>
internal static unsafe class PanelTile<TFormat> where TFormat : struct, IPanelFormat
{
    /// <summary>Runs <paramref name="rows"/> rows over one panel, in the vectors that suit the host; <paramref name="ahead"/> is as much memory that will be read next, or null.</summary>
    public static void Run(float* x, long rowStride, int rows, byte* panel, long stride, int k, float* y, long yStride, bool add, byte* ahead = null)
    {
        if (Vector512.IsHardwareAccelerated) WholePanelTile<TFormat>.Run(x, rowStride, rows, panel, stride, k, y, yStride, add);
        else HalfPanelTile<TFormat, WholeSums>.Run(x, rowStride, rows, panel, stride, k, y, yStride, add, ahead);
    }

    /// <summary>One row over two panels, in the vectors that suit the host.</summary>
    public static void RunTwoPanels(float* x, byte* panel, byte* second, long stride, int k, float* y, float* ySecond, bool add)
    {
        if (Vector512.IsHardwareAccelerated) WholePanelTile<TFormat>.OneByTwo(x, panel, second, stride, k, y, ySecond, add);
        else HalfPanelTile<TFormat, WholeSums>.OneByTwo(x, panel, second, stride, k, y, ySecond, add);
    }
}
