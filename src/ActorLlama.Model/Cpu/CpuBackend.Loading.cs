using ActorLlama.Kernels;

namespace ActorLlama.Model;

public sealed unsafe partial class CpuBackend
{
    /// <summary>Bytes that are brought in at once where nothing is looked for in them.</summary>
    private const long BytesOfUnit = 4 << 20;
    private const int RowsOfUnit = 64;

    // Not the team that computes: a device loads while it serves.
    private ThreadTeam? _loaders;

    private ThreadTeam Loaders => _loaders ??= new ThreadTeam(_team.Threads, _processors);

    public Weight LoadVector(StoredTensor tensor, WeightLoading loading)
    {
        RequireShape(tensor, 1);
        var stored = new byte[checked((int)tensor.Bytes)];
        tensor.Read(0, stored);
        fixed (byte* elements = stored) RequireNumbers(tensor, (nint)elements, 0, tensor.Elements, loading);
        return new CpuVector(tensor, stored);
    }

    public Weight LoadEmbedding(StoredTensor tensor, WeightLoading loading)
    {
        RequireShape(tensor, 2);
        var memory = tensor.Hold();
        try
        {
            RequireNumbers(tensor, memory[0], 0, tensor.Elements, loading);
            return new CpuEmbedding(tensor, memory);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    public Weight LoadLinear(StoredTensor tensor, WeightLoading loading)
    {
        RequireShape(tensor, 2);
        int outputs = checked((int)tensor.Shape[0]), inputs = checked((int)tensor.Shape[1]);
        if (tensor.Panels is { } address)
        {
            var panels = WeightPanels.Packed(address, IsBf16(tensor), outputs, inputs);
            RequireNumbers(tensor, panels, loading);
            return Linear(tensor, panels, _copyWeights && !IsRounded(loading) ? PackedMatrix.Copy(panels, Loaders) : null, loading);
        }
        var packed = PackedMatrix.Pack(Read, IsBf16(tensor), outputs, inputs, Loaders);
        return Linear(tensor, packed.Panels, packed, loading);

        void Read(long first, int count, nint to)
        {
            tensor.Read(first * tensor.ElementBytes, new Span<byte>((void*)to, count * tensor.ElementBytes));
            loading.Pass((long)count * tensor.ElementBytes);
            if (loading.AllowNaN) return;
            var at = NaNSearch.First(to, IsBf16(tensor), count);
            if (at >= 0) throw NaN(tensor, first + at);
        }
    }

    private bool IsRounded(WeightLoading loading) => _weights == WeightType.Int8 && !loading.KeepsType;

    private CpuLinear Linear(StoredTensor tensor, WeightPanels panels, PackedMatrix? packed, WeightLoading loading)
    {
        if (!IsRounded(loading)) return new CpuLinear(tensor, packed?.Panels ?? panels, packed, WeightPanels.PackedBytes(IsBf16(tensor), panels.Outputs, panels.Inputs));
        using (packed)
        {
            var rounded = Int8Matrix.Pack(panels, Loaders);
            return new CpuLinear(tensor, rounded.Panels, rounded, rounded.Bytes);
        }
    }

    public Weight LoadExperts(StoredTensor gateUp, StoredTensor down, int first, int count, WeightLoading loading)
    {
        RequireShape(gateUp, 3);
        RequireShape(down, 3);
        int width = checked((int)gateUp.Shape[1]), hidden = checked((int)down.Shape[1]);
        if (gateUp.Shape[2] != 2L * hidden || down.Shape[2] != width || down.Shape[0] != gateUp.Shape[0])
            throw new InvalidDataException(
                $"Checkpoint: experts \"{gateUp.Name}\" {Text(gateUp)} and \"{down.Name}\" {Text(down)} do not fit together: [E,D,2F] and [E,F,D] are wanted. Check config.json against the checkpoint.");
        if (first < 0 || count < 0 || first + (long)count > gateUp.Shape[0])
            throw new ArgumentOutOfRangeException(nameof(first), $"Experts: {first} to {first + count - 1} were asked for, but \"{gateUp.Name}\" has {gateUp.Shape[0]}.");

        var memory = new List<IDisposable>();
        var (copied, inPlace) = (0L, 0L);
        try
        {
            WeightPanels[] gates = Load(gateUp, 0, hidden), ups = Load(gateUp, hidden, hidden), downs = Load(down, 0, width);
            var experts = Enumerable.Range(0, count).Select(e => new CpuExperts.Matrices(gates[e], ups[e], downs[e]));
            return new CpuExperts(gateUp, down, first, [.. experts], [.. memory], copied + inPlace, copied);
        }
        catch
        {
            foreach (var piece in memory) piece.Dispose();
            throw;
        }

        // Columns of each expert's [in,out] matrix: where they lie, or packed if they do not fill whole panels.
        WeightPanels[] Load(StoredTensor tensor, int column, int outputs)
        {
            var inputs = checked((int)tensor.Shape[1]);
            var held = tensor.Hold(first, count, column, outputs);
            memory.Add(held);
            for (var e = first; e < first + count; e++) RequireNumbers(tensor, held, e, column, outputs, loading);
            if (_weights == WeightType.Int8)
            {
                WeightPanels[] rounded = [.. Enumerable.Range(first, count).Select(e => Rounded(tensor, held, e, inputs, outputs))];
                memory.Remove(held);
                held.Dispose();
                return rounded;
            }
            if (outputs % WeightPanels.Width == 0 && !_copyWeights)
            {
                copied += held.CopiedBytes;
                inPlace += (long)count * inputs * outputs * tensor.ElementBytes - held.CopiedBytes;
                return [.. Enumerable.Range(first, count).Select(e => WeightPanels.InPlace(held[e], IsBf16(tensor), inputs, held.RowStride, 0, outputs))];
            }
            PackedMatrix[] packed = [.. Enumerable.Range(first, count).Select(e => Packed(outputs % WeightPanels.Width == 0
                ? PackedMatrix.Copy(WeightPanels.InPlace(held[e], IsBf16(tensor), inputs, held.RowStride, 0, outputs), Loaders)
                : PackedMatrix.Pack(held[e], IsBf16(tensor), outputs, inputs, 1, held.RowStride, Loaders)))];
            memory.Remove(held);
            held.Dispose();
            return [.. packed.Select(matrix => matrix.Panels)];
        }

        WeightPanels Rounded(StoredTensor tensor, HeldEntries held, int expert, int inputs, int outputs)
        {
            using var packed = outputs % WeightPanels.Width == 0 ? null : PackedMatrix.Pack(held[expert], IsBf16(tensor), outputs, inputs, 1, held.RowStride, Loaders);
            var matrix = Int8Matrix.Pack(packed?.Panels ?? WeightPanels.InPlace(held[expert], IsBf16(tensor), inputs, held.RowStride, 0, outputs), Loaders);
            memory.Add(matrix);
            copied += matrix.Bytes;
            return matrix.Panels;
        }

        PackedMatrix Packed(PackedMatrix matrix)
        {
            memory.Add(matrix);
            copied += matrix.Bytes;
            return matrix;
        }
    }

    /// <summary>Elements [start, start + count) of a tensor, which lie at <paramref name="elements"/>.</summary>
    private void RequireNumbers(StoredTensor tensor, nint elements, long start, long count, WeightLoading loading)
    {
        var at = FirstNaN(tensor, elements, count, loading);
        if (at >= 0) throw NaN(tensor, start + at);
    }

    /// <summary>Some columns of matrix <paramref name="index"/> of [E,in,out], row by row where they are not all of it.</summary>
    private void RequireNumbers(StoredTensor tensor, HeldEntries held, int index, long column, long columns, WeightLoading loading)
    {
        long rows = tensor.Shape[1], width = tensor.Shape[2];
        if (loading.AllowNaN)
        {
            BringIn(0, rows);
            loading.Pass(rows * columns * tensor.ElementBytes);
        }
        else
        {
            Loaders.For(checked((int)((rows + RowsOfUnit - 1) / RowsOfUnit)), (unit, _) =>
            {
                var end = Math.Min(rows, (unit + 1L) * RowsOfUnit);
                BringIn(unit * (long)RowsOfUnit, end);
                for (var row = unit * (long)RowsOfUnit; row < end; row++)
                {
                    var at = NaNSearch.First((nint)(held[index] + row * held.RowStride * tensor.ElementBytes), IsBf16(tensor), columns);
                    if (at >= 0) throw NaN(tensor, (index * rows + row) * width + column + at);
                }
                loading.Pass((end - unit * (long)RowsOfUnit) * columns * tensor.ElementBytes);
            });
        }

        void BringIn(long first, long end) => MappedPages.BringIn(
            (nint)(held[index] + first * held.RowStride * tensor.ElementBytes), ((end - 1 - first) * held.RowStride + columns) * tensor.ElementBytes);
    }

    private void RequireNumbers(StoredTensor tensor, WeightPanels panels, WeightLoading loading)
    {
        var at = FirstNaN(tensor, (nint)panels.Data, (long)panels.Panels * WeightPanels.Width * panels.Inputs, loading);
        if (at < 0) return;
        var (output, input) = panels.PlaceOf(at);
        throw NaN(tensor, (long)output * panels.Inputs + input);
    }

    private long FirstNaN(StoredTensor tensor, nint elements, long count, WeightLoading loading)
    {
        if (!loading.AllowNaN) return NaNSearch.First(elements, IsBf16(tensor), count, Loaders, searched => loading.Pass(searched * tensor.ElementBytes));
        for (var (at, bytes) = (0L, count * tensor.ElementBytes); at < bytes; at += BytesOfUnit)
        {
            MappedPages.BringIn((nint)(elements + at), Math.Min(BytesOfUnit, bytes - at));
            loading.Pass(Math.Min(BytesOfUnit, bytes - at));
        }

        return -1;
    }

    private static InvalidDataException NaN(StoredTensor tensor, long element) =>
        new($"Checkpoint: tensor \"{tensor.Name}\" holds NaN at element {element}. Download the file again, or allow NaN weights.");

    private static void RequireShape(StoredTensor tensor, int axes)
    {
        if (tensor.Shape.Length != axes)
            throw new InvalidDataException($"Checkpoint: tensor \"{tensor.Name}\" has shape {Text(tensor)}, but {axes} axes are wanted. Check config.json against the checkpoint.");
    }

    private static bool IsBf16(StoredTensor tensor) => tensor.Type == ElementType.BFloat16;

    private static string Text(StoredTensor tensor) => $"[{string.Join(",", tensor.Shape)}]";
}
