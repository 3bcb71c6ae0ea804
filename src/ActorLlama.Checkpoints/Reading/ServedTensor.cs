using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>A tensor as backends read it: in its mapped file where it lies there in one piece, otherwise put together in memory, entry by entry as wanted.</summary>
internal sealed class ServedTensor(BoundTensor tensor) : IDisposable
{
    private const int ChunkBytes = 1 << 22;

    // Two devices of one process may ask for different experts at once.
    private readonly Lock _lock = new();
    private readonly bool[] _isFilled = new bool[tensor.Slices];
    private ReservedMemory? _memory;

    public StoredTensor Whole() => Entries(0, (int)tensor.Slices);

    /// <summary>The tensor, of which entries [first, first + count) of routed experts, or all of any other, are there.</summary>
    public StoredTensor Entries(int first, int count)
    {
        var view = tensor.View;
        return new StoredTensor(view.Name, view.Type, view.Shape, ViewReader.InPlace(view) ?? Filled(tensor.IsExperts ? first : 0, tensor.IsExperts ? count : 1));
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _memory?.Dispose();
            _memory = null;
        }
    }

    private nint Filled(int first, int count)
    {
        lock (_lock)
        {
            _memory ??= new ReservedMemory(tensor.View.Bytes);
            var reader = new ViewReader(tensor.View);
            for (var slice = first; slice < first + count; slice++)
            {
                if (_isFilled[slice]) continue;
                Fill(reader, _memory.Address, slice * tensor.SliceBytes);
                _isFilled[slice] = true;
            }
            return _memory.Address;
        }
    }

    private unsafe void Fill(ViewReader reader, nint address, long begin)
    {
        var chunks = (tensor.SliceBytes + ChunkBytes - 1) / ChunkBytes;
        Parallel.For(0, chunks, chunk =>
        {
            var offset = begin + chunk * ChunkBytes;
            reader.Read(offset, new Span<byte>((void*)(address + offset), (int)Math.Min(ChunkBytes, begin + tensor.SliceBytes - offset)));
        });
    }
}
