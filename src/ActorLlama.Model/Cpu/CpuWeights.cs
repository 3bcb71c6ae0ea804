using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>Gains of a norm, copied as float32.</summary>
internal sealed unsafe class CpuVector : Weight
{
    private nint _values;

    /// <param name="tensor">Its name and type.</param>
    /// <param name="stored">Its elements as they are stored.</param>
    public CpuVector(StoredTensor tensor, ReadOnlySpan<byte> stored)
    {
        var isBf16 = tensor.Type == ElementType.BFloat16;
        Length = checked((int)tensor.Elements);
        _values = (nint)NativeMemory.AlignedAlloc((nuint)(Length + 16) * sizeof(float), 64);
        fixed (byte* from = stored) RowMath.Load((nint)from, isBf16, Length, Values, round: false);
        Contents = [new VectorContents(tensor.Name, tensor.Type, this)];
    }

    public int Length { get; }
    public float* Values => (float*)_values;
    public override long Bytes => (long)Length * sizeof(float);
    public override long CopiedBytes => Bytes;
    public override IReadOnlyList<TensorData> Contents { get; }

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
    public override IReadOnlyList<TensorData> Contents { get; } = [new TableContents(tensor, memory)];

    /// <summary>Address of a row.</summary>
    public nint this[int row] => memory[0] + checked((nint)((long)row * Width * (IsBf16 ? sizeof(ushort) : sizeof(float))));

    public override void Dispose() => memory.Dispose();
}

/// <summary>An [out,in] matrix in panels.</summary>
/// <param name="tensor">Its name and type.</param>
/// <param name="panels">The panels.</param>
/// <param name="memory">Their memory; null where they lie in the source.</param>
/// <param name="bytes">Bytes of the panels.</param>
internal sealed class CpuLinear(StoredTensor tensor, WeightPanels panels, IDisposable? memory, long bytes) : Weight
{
    public WeightPanels Panels { get; } = panels;
    public override long Bytes { get; } = bytes;
    public override long CopiedBytes => memory is null ? 0 : Bytes;
    public override IReadOnlyList<TensorData> Contents { get; } = [new LinearContents(tensor.Name, tensor.Type, panels)];

    public override void Dispose() => memory?.Dispose();
}

/// <summary>Experts [First, First + count): read where they lie, or packed where their widths are no multiple of a panel's.</summary>
internal sealed class CpuExperts(
    StoredTensor gateUp, StoredTensor down, int first, ImmutableArray<CpuExperts.Matrices> experts, ImmutableArray<IDisposable> memory, long bytes, long copiedBytes) : Weight
{
    public readonly record struct Matrices(WeightPanels Gate, WeightPanels Up, WeightPanels Down);

    public int First { get; } = first;
    public ImmutableArray<Matrices> Experts { get; } = experts;
    public override long Bytes { get; } = bytes;
    public override long CopiedBytes { get; } = copiedBytes;

    public override IReadOnlyList<TensorData> Contents { get; } =
    [
        new ExpertContents(gateUp.Name, gateUp.Type, [.. experts.Select(expert => ImmutableArray.Create(expert.Gate, expert.Up))], gateUp.Shape[1], gateUp.Shape[2]),
        new ExpertContents(down.Name, down.Type, [.. experts.Select(expert => ImmutableArray.Create(expert.Down))], down.Shape[1], down.Shape[2]),
    ];

    public override void Dispose()
    {
        foreach (var piece in memory) piece.Dispose();
    }
}
