using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>A matrix copied into panels of 32 outputs, in memory of its own; outputs beyond the last are zero.</summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    private const int PackInputs = 128;
    private readonly byte* _data;
    private bool _disposed;

    private PackedMatrix(byte* data, long bytes, WeightPanels panels)
    {
        _data = data;
        Bytes = bytes;
        Panels = panels;
    }

    public WeightPanels Panels { get; }

    /// <summary>Bytes of memory held.</summary>
    public long Bytes { get; }

    /// <summary>
    /// Packs a matrix whose weight of output n and input k is element n·<paramref name="outputStride"/> + k·<paramref name="inputStride"/>:
    /// (inputs, 1) for an [out,in] matrix, (1, outputs) for an [in,out] one.
    /// </summary>
    public static PackedMatrix Pack(nint source, bool isBf16, int outputs, int inputs, long outputStride, long inputStride, ThreadTeam team)
    {
        var group = isBf16 ? PackedBf16.GroupBytes : Float32.GroupBytes;
        var panelBytes = (long)inputs * group;
        var count = (outputs + WeightPanels.Width - 1) / WeightPanels.Width;
        var bytes = Math.Max(count * panelBytes, 1);
        var data = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        team.For(count, (panel, _) =>
        {
            var first = panel * WeightPanels.Width;
            var valid = Math.Min(WeightPanels.Width, outputs - first);
            var to = data + panel * panelBytes;
            if (isBf16) PackBf16((ushort*)source + first * outputStride, valid, inputs, outputStride, inputStride, (ushort*)to);
            else PackFloat32((float*)source + first * outputStride, valid, inputs, outputStride, inputStride, (float*)to);
        });
        var format = isBf16 ? PanelFormat.PackedBf16 : PanelFormat.Float32;
        return new PackedMatrix(data, bytes, new WeightPanels(data, format, outputs, inputs, panelBytes, group));
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        NativeMemory.AlignedFree(_data);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackBf16(ushort* from, int valid, int inputs, long outputStride, long inputStride, ushort* to)
    {
        // A few k at a time, so that the lines being filled stay in the first-level cache.
        for (var start = 0; start < inputs; start += PackInputs)
            for (var n = 0; n < WeightPanels.Width; n++)
            {
                var lane = n < 16 ? 2 * n : 2 * (n - 16) + 1;
                var end = Math.Min(inputs, start + PackInputs);
                for (var k = start; k < end; k++)
                    to[(long)k * WeightPanels.Width + lane] = n < valid ? from[n * outputStride + k * inputStride] : (ushort)0;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackFloat32(float* from, int valid, int inputs, long outputStride, long inputStride, float* to)
    {
        for (var start = 0; start < inputs; start += PackInputs)
            for (var n = 0; n < WeightPanels.Width; n++)
            {
                var end = Math.Min(inputs, start + PackInputs);
                for (var k = start; k < end; k++)
                    to[(long)k * WeightPanels.Width + n] = n < valid ? from[n * outputStride + k * inputStride] : 0f;
            }
    }
}
