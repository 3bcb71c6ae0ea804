using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>Gains of a norm, copied as float32.</summary>
internal sealed unsafe class CpuVector : Weight
{
    private nint _values;

    /// <param name="stored">The elements as they are stored.</param>
    /// <param name="isBf16">Whether they are bfloat16.</param>
    public CpuVector(ReadOnlySpan<byte> stored, bool isBf16)
    {
        Length = stored.Length / (isBf16 ? sizeof(ushort) : sizeof(float));
        _values = (nint)NativeMemory.AlignedAlloc((nuint)(Length + 16) * sizeof(float), 64);
        fixed (byte* from = stored) RowMath.Load((nint)from, isBf16, Length, Values, round: false);
    }

    public int Length { get; }
    public float* Values => (float*)_values;
    public override long Bytes => (long)Length * sizeof(float);
    public override long CopiedBytes => Bytes;

    public override void Dispose()
    {
        NativeMemory.AlignedFree((void*)_values);
        _values = 0;
    }
}

/// <summary>An embedding table, read where it lies.</summary>
internal sealed class CpuEmbedding(StoredTensor tensor, HeldEntries memory) : Weight
{
    public int Rows { get; } = checked((int)tensor.Shape[0]);
    public int Width { get; } = checked((int)tensor.Shape[1]);
    public bool IsBf16 { get; } = tensor.Type == ElementType.BFloat16;
    public override long Bytes { get; } = tensor.Bytes;
    public override long CopiedBytes => memory.CopiedBytes;

    /// <summary>Address of a row.</summary>
    public nint this[int row] => memory[0] + checked((nint)((long)row * Width * (IsBf16 ? sizeof(ushort) : sizeof(float))));

    public override void Dispose() => memory.Dispose();
}

/// <summary>An [out,in] matrix in panels.</summary>
/// <param name="panels">The panels.</param>
/// <param name="bytes">Their bytes.</param>
/// <param name="packed">Their memory; null where they lie in the source.</param>
internal sealed class CpuLinear(WeightPanels panels, long bytes, PackedMatrix? packed) : Weight
{
    public WeightPanels Panels { get; } = panels;
    public override long Bytes { get; } = bytes;
    public override long CopiedBytes => packed is null ? 0 : Bytes;

    public override void Dispose() => packed?.Dispose();
}

/// <summary>Experts [First, First + count): read where they lie, or packed where their widths are no multiple of a panel's.</summary>
internal sealed class CpuExperts(int first, ImmutableArray<CpuExperts.Matrices> experts, ImmutableArray<IDisposable> memory, long bytes, long copiedBytes) : Weight
{
    public readonly record struct Matrices(WeightPanels Gate, WeightPanels Up, WeightPanels Down);

    public int First { get; } = first;
    public ImmutableArray<Matrices> Experts { get; } = experts;
    public override long Bytes { get; } = bytes;
    public override long CopiedBytes { get; } = copiedBytes;

    public override void Dispose()
    {
        foreach (var piece in memory) piece.Dispose();
    }
}
