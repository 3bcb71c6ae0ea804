using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>Gains of a norm, copied as float32.</summary>
internal sealed unsafe class CpuVector : Weight
{
    private nint _values;

    public CpuVector(StoredTensor tensor)
    {
        Length = checked((int)tensor.Elements);
        _values = (nint)NativeMemory.AlignedAlloc((nuint)(Length + 16) * sizeof(float), 64);
        RowMath.Load(tensor.Address, tensor.Type == ElementType.BFloat16, Length, Values, round: false);
    }

    public int Length { get; }
    public float* Values => (float*)_values;
    public override long Bytes => (long)Length * sizeof(float);

    public override void Dispose()
    {
        NativeMemory.AlignedFree((void*)_values);
        _values = 0;
    }
}

/// <summary>An embedding table, read where it lies.</summary>
internal sealed class CpuEmbedding(StoredTensor tensor) : Weight
{
    public StoredTensor Tensor { get; } = tensor;
    public override long Bytes => Tensor.Bytes;

    public override void Dispose()
    {
    }
}

/// <summary>An [out,in] matrix, packed.</summary>
internal sealed class CpuLinear(PackedMatrix matrix) : Weight
{
    public WeightPanels Panels => matrix.Panels;
    public override long Bytes => matrix.Bytes;

    public override void Dispose() => matrix.Dispose();
}

/// <summary>Experts [First, First + count): read in place, or packed where their widths are no multiple of a panel's.</summary>
internal sealed class CpuExperts(int first, ImmutableArray<CpuExperts.Matrices> experts, ImmutableArray<PackedMatrix> packed, long bytes) : Weight
{
    public readonly record struct Matrices(WeightPanels Gate, WeightPanels Up, WeightPanels Down);

    public int First { get; } = first;
    public ImmutableArray<Matrices> Experts { get; } = experts;
    public override long Bytes { get; } = bytes;

    public override void Dispose()
    {
        foreach (var matrix in packed) matrix.Dispose();
    }
}
