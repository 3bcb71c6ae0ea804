using System.Runtime.CompilerServices;

namespace ActorLlama.Kernels;

/// <summary>A matrix copied into panels of 32 outputs, which lie one after the other in memory of its own; outputs beyond the last are zero.</summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    private const int PackInputs = 128, CopiedTogether = 32;
    private readonly MappedMemory _memory;

    private PackedMatrix(MappedMemory memory, long bytes, WeightPanels panels)
    {
        _memory = memory;
        Bytes = bytes;
        Panels = panels;
    }

    /// <summary>Fills the panel that begins with output <paramref name="first"/>.</summary>
    private delegate void PanelFill(int first, nint to, int thread);

    private delegate WeightPanels PanelsAt(nint data);

    public WeightPanels Panels { get; }

    /// <summary>Bytes of memory held.</summary>
    public long Bytes { get; }

    private byte* Data => (byte*)_memory.Address;

    /// <summary>
    /// Packs a matrix whose weight of output n and input k is element n·<paramref name="outputStride"/> + k·<paramref name="inputStride"/>:
    /// (inputs, 1) for an [out,in] matrix, (1, outputs) for an [in,out] one.
    /// </summary>
    public static PackedMatrix Pack(nint source, bool isBf16, int outputs, int inputs, long outputStride, long inputStride, ThreadTeam team) =>
        Pack(isBf16, outputs, inputs, team, (first, to, _) =>
        {
            var from = source + (nint)(first * outputStride * ElementBytes(isBf16));
            PackPanel(isBf16, from, Math.Min(WeightPanels.Width, outputs - first), inputs, outputStride, inputStride, to);
        });

    /// <summary>Packs an [out,in] matrix that is read a panel at a time, by several threads.</summary>
    public static PackedMatrix Pack(ReadElements read, bool isBf16, int outputs, int inputs, ThreadTeam team) => Pack(
        isBf16, outputs, inputs, team,
        (first, to, thread) => PackPanel(read, isBf16, outputs, inputs, first, 0, inputs, to, new Span<byte>(team.Scratch(thread), ThreadTeam.ScratchBytes)));

    /// <summary>Copies panels, wherever they lie, one after the other; the order within a group stays as it is.</summary>
    public static PackedMatrix Copy(WeightPanels from, ThreadTeam team)
    {
        var group = from.Format == PanelFormat.Float32 ? Float32.GroupBytes : PackedBf16.GroupBytes;
        var stride = (long)from.Inputs * group;
        var matrix = New(from.Panels * stride, data => new WeightPanels((byte*)data, from.Format, from.Outputs, from.Inputs, stride, group));
        // Side by side in the source: a page is read at once.
        var strips = (from.Panels + CopiedTogether - 1) / CopiedTogether;
        team.For(strips, (strip, _) =>
        {
            var first = strip * CopiedTogether;
            StripTile.Copy(from.Data + first * from.PanelStride, from.PanelStride, from.Stride, Math.Min(CopiedTogether, from.Panels - first), from.Inputs, group, matrix.Data + first * stride, isLasting: true);
        });
        return matrix;
    }

    /// <summary>
    /// Packs inputs [start, start + count) of the panel of an [outputs, inputs] matrix that begins with output <paramref name="first"/>, through scratch memory
    /// of at least one group.
    /// </summary>
    public static void PackPanel(
        ReadElements read, bool isBf16, int outputs, int inputs, int first, int start, int count, nint to, Span<byte> scratch)
    {
        var (element, valid) = (ElementBytes(isBf16), Math.Min(WeightPanels.Width, outputs - first));
        var most = scratch.Length / (WeightPanels.Width * element);
        fixed (byte* rows = scratch)
            for (var k = 0; k < count; k += most)
            {
                var width = Math.Min(most, count - k);
                if (width == inputs) read((long)first * inputs, valid * width, (nint)rows);
                else
                    for (var row = 0; row < valid; row++)
                        read((first + row) * (long)inputs + start + k, width, (nint)(rows + (long)row * width * element));
                PackPanel(isBf16, (nint)rows, valid, width, width, 1, to + (nint)k * WeightPanels.Width * element);
            }
    }

    public void Dispose() => _memory.Dispose();

    private static PackedMatrix Pack(bool isBf16, int outputs, int inputs, ThreadTeam team, PanelFill fill)
    {
        var matrix = New(WeightPanels.PackedBytes(isBf16, outputs, inputs), data => WeightPanels.Packed(data, isBf16, outputs, inputs));
        try
        {
            team.For(matrix.Panels.Panels, (panel, thread) => fill(panel * WeightPanels.Width, (nint)(matrix.Data + panel * matrix.Panels.PanelStride), thread));
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    private static PackedMatrix New(long bytes, PanelsAt panels)
    {
        var memory = new MappedMemory(bytes);
        return new PackedMatrix(memory, bytes, panels(memory.Address));
    }

    private static void PackPanel(bool isBf16, nint from, int valid, int inputs, long outputStride, long inputStride, nint to)
    {
        if (isBf16) PackBf16((ushort*)from, valid, inputs, outputStride, inputStride, (ushort*)to);
        else PackFloat32((float*)from, valid, inputs, outputStride, inputStride, (float*)to);
    }

    private static int ElementBytes(bool isBf16) => isBf16 ? sizeof(ushort) : sizeof(float);

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
