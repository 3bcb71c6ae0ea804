namespace ActorLlama.Kernels;

/// <summary>
/// Native memory for blocks of one size that live long and are read whole, as those of KV caches: cut out of pieces of large pages (<see cref="MappedMemory"/>), 64-byte
/// aligned, not cleared. What is returned is kept for the next caller until the pool is disposed and the last block returned. One thread at a time;
/// <see cref="RentedBytes"/> may be read by any.
/// </summary>
public sealed unsafe class BlockPool : IDisposable
{
    private const long PieceBytes = 8L << 20;
    private readonly List<MappedMemory> _pieces = [];
    private readonly Stack<nint> _idle = [];
    private readonly long _stride;
    private long _rented;
    private bool _closed;

    public BlockPool(long blockBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockBytes, 1);
        BlockBytes = blockBytes;
        _stride = (blockBytes + 63) / 64 * 64;
    }

    public long BlockBytes { get; }

    /// <summary>Of all blocks now rented.</summary>
    public long RentedBytes => Interlocked.Read(ref _rented);

    public nint Rent()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (_idle.Count == 0) Grow();
        Interlocked.Add(ref _rented, BlockBytes);
        return _idle.Pop();
    }

    public void Return(nint block)
    {
        _idle.Push(block);
        if (Interlocked.Add(ref _rented, -BlockBytes) == 0 && _closed) Free();
    }

    /// <summary>No more blocks are given out. Those that are out stay valid until they are returned.</summary>
    public void Dispose()
    {
        if (_closed) return;
        _closed = true;
        if (RentedBytes == 0) Free();
    }

    private void Grow()
    {
        var blocks = Math.Max(1, PieceBytes / _stride);
        var piece = new MappedMemory(blocks * _stride);
        _pieces.Add(piece);
        // The first one is taken first: memory that is never used is never touched.
        for (var i = blocks - 1; i >= 0; i--) _idle.Push(piece.Address + (nint)(i * _stride));
    }

    private void Free()
    {
        foreach (var piece in _pieces) piece.Dispose();
        _pieces.Clear();
        _idle.Clear();
    }
}
