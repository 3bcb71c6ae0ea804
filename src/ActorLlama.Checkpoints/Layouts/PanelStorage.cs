using System.Buffers;
using System.Collections.Immutable;
using ActorLlama.Kernels;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The [out,in] matrices of the unscanned layout stored as the CPU kernels read them, so that they stay mapped: <see cref="WeightPanels.Packed"/> as a tensor
/// [panels, in, 32] under the canonical name and a suffix. <c>checkpoint.json</c> has the panels' version.
/// </summary>
internal static class PanelStorage
{
    public const string Suffix = ".panels";

    private const int ScratchBytes = 1 << 20;

    /// <summary>True for parameters that the kernels want in panels; the others are read as they are in every layout.</summary>
    public static bool Holds(Parameter parameter) => parameter.Group
        is ParameterGroup.Attention or ParameterGroup.Router or ParameterGroup.SharedExpert or ParameterGroup.DenseFfn or ParameterGroup.Head;

    public static ImmutableArray<long> ShapeOf(long outputs, long inputs) =>
        [(outputs + WeightPanels.Width - 1) / WeightPanels.Width, inputs, WeightPanels.Width];

    /// <summary>An [out,in] matrix that lies in a file in panels, row by row again.</summary>
    public static TensorView ViewOf(string name, ElementType type, long outputs, long inputs, MappedFile file, long offset)
    {
        // In bfloat16, outputs j and j + 16 of a panel are neighbours.
        var (parts, size) = (type == ElementType.BFloat16 ? 2 : 1, TensorView.BytesOf(type));
        var rows = WeightPanels.Width / parts;
        var blocks = ImmutableArray.CreateBuilder<TensorBlock>();
        for (var first = 0L; first < outputs; first += rows)
        {
            var (panel, part) = Math.DivRem(first, WeightPanels.Width);
            var at = offset + (panel * inputs * WeightPanels.Width + part / rows) * size;
            blocks.Add(new TensorBlock(file, at, [first, 0], [Math.Min(rows, outputs - first), inputs], [parts, WeightPanels.Width]));
        }
        return new TensorView(name, type, [outputs, inputs], blocks.ToImmutable());
    }

    /// <summary>An [out,in] matrix to be written in panels, its elements as <paramref name="type"/>.</summary>
    public static TensorToWrite ToWrite(string canonicalName, TensorView view, ElementType type)
    {
        var (reader, size, isBf16) = (new ViewReader(view), TensorView.BytesOf(type), type == ElementType.BFloat16);
        int outputs = checked((int)view.Shape[0]), inputs = checked((int)view.Shape[1]);
        return new TensorToWrite(canonicalName + Suffix, isBf16 ? SafetensorsType.BF16 : SafetensorsType.F32, ShapeOf(outputs, inputs), Fill);

        unsafe void Fill(long offset, Span<byte> bytes)
        {
            var scratch = ArrayPool<byte>.Shared.Rent(ScratchBytes);
            try
            {
                fixed (byte* to = bytes)
                    for (int groupBytes = WeightPanels.Width * size, done = 0; done < bytes.Length;)
                    {
                        var (panel, start) = Math.DivRem((offset + done) / groupBytes, inputs);
                        var count = (int)Math.Min(inputs - start, (bytes.Length - done) / groupBytes);
                        PackedMatrix.PackPanel(
                            Read, isBf16, outputs, inputs, (int)panel * WeightPanels.Width, (int)start, count, (nint)(to + done), scratch.AsSpan(0, ScratchBytes));
                        done += count * groupBytes;
                    }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(scratch);
            }
        }

        unsafe void Read(long first, int count, nint to) => reader.ReadAs(type, first * size, new Span<byte>((void*)to, count * size));
    }
}
