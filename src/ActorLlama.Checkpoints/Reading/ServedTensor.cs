using ActorLlama.Kernels;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// A tensor as backends read it: in its mapped file where its entries lie there in one piece each, otherwise put together in memory, as many entries as are
/// held and only while they are.
/// </summary>
internal sealed class ServedTensor : StoredTensor, IDisposable
{
    private const int ChunkBytes = 1 << 22;

    private readonly BoundTensor _tensor;
    private readonly ViewReader _reader;
    // Two devices of one process may ask for different experts at once.
    private readonly Lock _lock = new();
    private readonly int[] _holders;
    private MappedMemory? _memory;

    public ServedTensor(BoundTensor tensor)
        : base(tensor.View.Name, tensor.View.Type, tensor.View.Shape) =>
        (_tensor, _reader, _holders) = (tensor, new ViewReader(tensor.View), new int[tensor.Slices]);

    /// <inheritdoc/>
    public override nint? Panels => _tensor.Panels is { } place ? (nint)(place.File.Address + place.Offset) : null;

    public override void Read(long offset, Span<byte> bytes) => _reader.Read(offset, bytes);

    public override HeldEntries Hold()
    {
        if (ViewReader.InPlace(_tensor.View) is { } address) return new HeldEntries(0, [address], Shape[^1], 0, null);
        var all = Fill(0, _holders.Length);
        return new HeldEntries(0, [all], Shape[^1], Bytes, () => Release(0, _holders.Length));
    }

    public override HeldEntries Hold(int first, int count, long column, long columns)
    {
        if (!_tensor.IsExperts) throw new InvalidOperationException($"Checkpoint: tensor \"{Name}\" is not divided into experts; hold it whole.");
        var places = Enumerable.Range(first, count).Select(expert => ViewReader.RowsInPlace(_tensor.View.At(expert).Slice(1, column, columns))).ToList();
        if (count > 0 && places.All(place => place is { } found && found.Stride == places[0]!.Value.Stride))
            return new HeldEntries(first, [.. places.Select(place => place!.Value.Address)], places[0]!.Value.Stride, 0, null);
        var start = Fill(first, count) + (nint)(column * ElementBytes);
        return new HeldEntries(
            first, [.. Enumerable.Range(0, count).Select(i => (nint)(start + i * _tensor.SliceBytes))], Shape[2],
            count * Shape[1] * columns * ElementBytes, () => Release(first, count));
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _memory?.Dispose();
            _memory = null;
        }
    }

    /// <summary>Address of the first of some entries, which are in memory from now on.</summary>
    private nint Fill(int first, int count)
    {
        lock (_lock)
        {
            _memory ??= new MappedMemory(Bytes, sparse: true);
            // Held once they are there: a disk that fails leaves nothing half read for the next who asks.
            for (var slice = first; slice < first + count; slice++)
                if (_holders[slice] == 0) Fill(_memory.Address, slice * _tensor.SliceBytes);
            for (var slice = first; slice < first + count; slice++) _holders[slice]++;
            return (nint)(_memory.Address + first * _tensor.SliceBytes);
        }
    }

    private unsafe void Fill(nint address, long begin)
    {
        var chunks = (_tensor.SliceBytes + ChunkBytes - 1) / ChunkBytes;
        Parallel.For(0, chunks, chunk =>
        {
            var offset = begin + chunk * ChunkBytes;
            _reader.Read(offset, new Span<byte>((void*)(address + offset), (int)Math.Min(ChunkBytes, begin + _tensor.SliceBytes - offset)));
        });
    }

    private void Release(int first, int count)
    {
        lock (_lock)
            for (var slice = first; slice < first + count; slice++)
                if (--_holders[slice] == 0) _memory?.Forget(slice * _tensor.SliceBytes, _tensor.SliceBytes);
    }
}
