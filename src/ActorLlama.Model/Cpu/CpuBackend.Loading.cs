using System.Collections.Immutable;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

public sealed unsafe partial class CpuBackend
{
    public Weight LoadVector(StoredTensor tensor, bool allowNaN)
    {
        RequireShape(tensor, 1);
        RequireNumbers(tensor, 0, tensor.Elements, allowNaN);
        return new CpuVector(tensor);
    }

    public Weight LoadEmbedding(StoredTensor tensor, bool allowNaN)
    {
        RequireShape(tensor, 2);
        RequireNumbers(tensor, 0, tensor.Elements, allowNaN);
        return new CpuEmbedding(tensor);
    }

    public Weight LoadLinear(StoredTensor tensor, bool allowNaN)
    {
        RequireShape(tensor, 2);
        RequireNumbers(tensor, 0, tensor.Elements, allowNaN);
        int outputs = checked((int)tensor.Shape[0]), inputs = checked((int)tensor.Shape[1]);
        return new CpuLinear(PackedMatrix.Pack(tensor.Address, IsBf16(tensor), outputs, inputs, inputs, 1, _team));
    }

    public Weight LoadExperts(StoredTensor gateUp, StoredTensor down, int first, int count, bool allowNaN)
    {
        RequireShape(gateUp, 3);
        RequireShape(down, 3);
        int width = checked((int)gateUp.Shape[1]), hidden = checked((int)down.Shape[1]);
        if (gateUp.Shape[2] != 2L * hidden || down.Shape[2] != width || down.Shape[0] != gateUp.Shape[0])
            throw new InvalidDataException(
                $"Checkpoint: experts \"{gateUp.Name}\" {Text(gateUp)} and \"{down.Name}\" {Text(down)} do not fit together: [E,D,2F] and [E,F,D] are wanted. Check config.json against the checkpoint.");
        if (first < 0 || count < 0 || first + (long)count > gateUp.Shape[0])
            throw new ArgumentOutOfRangeException(nameof(first), $"Experts: {first} to {first + count - 1} were asked for, but \"{gateUp.Name}\" has {gateUp.Shape[0]}.");

        RequireNumbers(gateUp, first * (gateUp.Elements / gateUp.Shape[0]), count * (gateUp.Elements / gateUp.Shape[0]), allowNaN);
        RequireNumbers(down, first * (down.Elements / down.Shape[0]), count * (down.Elements / down.Shape[0]), allowNaN);
        var packed = ImmutableArray.CreateBuilder<PackedMatrix>();
        var experts = ImmutableArray.CreateBuilder<CpuExperts.Matrices>(count);
        for (var e = first; e < first + count; e++)
        {
            var (g, d) = (gateUp.At(e), down.At(e));
            experts.Add(new CpuExperts.Matrices(Columns(g, 0, hidden, packed), Columns(g, hidden, hidden, packed), Columns(d, 0, width, packed)));
        }
        var inPlace = packed.Count == 0 ? (gateUp.Bytes + down.Bytes) / Math.Max(1, gateUp.Shape[0]) * count : 0;
        return new CpuExperts(first, experts.MoveToImmutable(), packed.ToImmutable(), inPlace + packed.Sum(m => m.Bytes));
    }

    /// <summary>Some columns of an [in,out] matrix: where they lie, or packed if they do not fill whole panels.</summary>
    private WeightPanels Columns(StoredTensor matrix, int first, int outputs, ImmutableArray<PackedMatrix>.Builder packed)
    {
        var (inputs, columns) = (checked((int)matrix.Shape[0]), matrix.Shape[1]);
        if (outputs % WeightPanels.Width == 0) return WeightPanels.InPlace(matrix.Address, IsBf16(matrix), inputs, columns, first, outputs);
        packed.Add(PackedMatrix.Pack((nint)(matrix.Address + (long)first * matrix.ElementBytes), IsBf16(matrix), outputs, inputs, 1, columns, _team));
        return packed[^1].Panels;
    }

    private void RequireNumbers(StoredTensor tensor, long start, long count, bool allowNaN)
    {
        if (allowNaN) return;
        var at = NaNSearch.First((nint)(tensor.Address + start * tensor.ElementBytes), IsBf16(tensor), count, _team);
        if (at >= 0)
            throw new InvalidDataException($"Checkpoint: tensor \"{tensor.Name}\" holds NaN at element {start + at}. Download the file again, or allow NaN weights.");
    }

    private static void RequireShape(StoredTensor tensor, int axes)
    {
        if (tensor.Shape.Length != axes)
            throw new InvalidDataException($"Checkpoint: tensor \"{tensor.Name}\" has shape {Text(tensor)}, but {axes} axes are wanted. Check config.json against the checkpoint.");
    }

    private static bool IsBf16(StoredTensor tensor) => tensor.Type == ElementType.BFloat16;

    private static string Text(StoredTensor tensor) => $"[{string.Join(",", tensor.Shape)}]";
}
