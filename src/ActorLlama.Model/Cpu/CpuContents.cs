using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>Gains that are held as float32, in the type they were stored in.</summary>
internal sealed unsafe class VectorContents(string name, ElementType type, CpuVector vector) : TensorData(name, type, [vector.Length])
{
    public override void Read(long offset, Span<byte> bytes)
    {
        var from = vector.Values + offset / ElementBytes;
        if (Type == ElementType.Float32) new ReadOnlySpan<byte>(from, bytes.Length).CopyTo(bytes);
        else
            // They came from bfloat16: what is cut off is zero.
            foreach (ref var element in MemoryMarshal.Cast<byte, ushort>(bytes)) element = (ushort)(*(uint*)from++ >> 16);
    }
}

/// <summary>A table that lies row major in memory.</summary>
internal sealed unsafe class TableContents(StoredTensor stored, HeldEntries memory) : TensorData(stored.Name, stored.Type, stored.Shape)
{
    public override void Read(long offset, Span<byte> bytes) => new ReadOnlySpan<byte>((byte*)memory[0] + offset, bytes.Length).CopyTo(bytes);
}

/// <summary>Whether what a device holds is what was stored.</summary>
internal static class StoredBits
{
    /// <summary>Throws <see cref="InvalidDataException"/> for weights that were rounded as they were loaded.</summary>
    public static void Require(string name, WeightPanels panels)
    {
        if (panels.Format == PanelFormat.Int8)
            throw new InvalidDataException($"Save: \"{name}\" is held in 8 bits, which is not what the checkpoint stores. Save from nodes with weight-dtype \"stored\".");
    }
}

/// <summary>An [out,in] matrix that lies in panels.</summary>
internal sealed unsafe class LinearContents(string name, ElementType type, WeightPanels panels) : TensorData(name, type, [panels.Outputs, panels.Inputs])
{
    public override void Read(long offset, Span<byte> bytes)
    {
        StoredBits.Require(Name, panels);
        fixed (byte* to = bytes)
            for (long element = offset / ElementBytes, first = element, end = element + bytes.Length / ElementBytes; element < end;)
            {
                var (output, input) = Math.DivRem(element, panels.Inputs);
                var count = (int)Math.Min(panels.Inputs - input, end - element);
                panels.CopyOutput((int)output, (int)input, count, (nint)(to + (element - first) * ElementBytes));
                element += count;
            }
    }
}

/// <summary>Experts' [in,out] matrices [n,in,out], each of one or more sets of columns that lie in panels of their own.</summary>
internal sealed unsafe class ExpertContents(string name, ElementType type, ImmutableArray<ImmutableArray<WeightPanels>> experts, long inputs, long outputs)
    : TensorData(name, type, [experts.Length, inputs, outputs])
{
    public override void Read(long offset, Span<byte> bytes)
    {
        fixed (byte* to = bytes)
            for (long element = offset / ElementBytes, first = element, end = element + bytes.Length / ElementBytes; element < end;)
            {
                var (expert, within) = Math.DivRem(element, inputs * outputs);
                var (input, column) = Math.DivRem(within, outputs);
                var set = 0;
                for (; column >= experts[(int)expert][set].Outputs; set++) column -= experts[(int)expert][set].Outputs;
                var columns = experts[(int)expert][set];
                StoredBits.Require(Name, columns);
                var count = (int)Math.Min(columns.Outputs - column, end - element);
                columns.CopyInput((int)input, (int)column, count, (nint)(to + (element - first) * ElementBytes));
                element += count;
            }
    }
}
