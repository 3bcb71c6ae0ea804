using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>
/// Native memory for values that come and go with every step: blocks of few sizes, 64-byte aligned, kept for the next caller. The memory
/// is not cleared. Any thread may rent and return.
/// </summary>
public sealed unsafe class NativePool : IDisposable
{
    private const long MostIdleBytes = 256L << 20;

    // A lock, because a payload that is never opened is given back by another thread than the device's.
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Stack<nint>> _idle = [];
    private long _idleBytes, _rented;
    private bool _closed;

    /// <summary>Bytes now rented.</summary>
    public long RentedBytes => Interlocked.Read(ref _rented);

    /// <summary>Bytes kept for the next caller.</summary>
    public long IdleBytes => Interlocked.Read(ref _idleBytes);

    /// <summary>At least <paramref name="bytes"/> bytes; give them back with the same number. Throws <see cref="OutOfMemoryException"/>.</summary>
    public nint Rent(long bytes)
    {
        var size = SizeOf(bytes);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _rented += size;
            if (_idle.TryGetValue(size, out var stack) && stack.TryPop(out var block))
            {
                _idleBytes -= size;
                return block;
            }
        }
        try
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)size, 64);
        }
        catch (OutOfMemoryException)
        {
            lock (_gate) _rented -= size;
            throw;
        }
    }

    public void Return(nint block, long bytes)
    {
        var size = SizeOf(bytes);
        lock (_gate)
        {
            _rented -= size;
            if (!_closed && _idleBytes + size <= MostIdleBytes)
            {
                if (!_idle.TryGetValue(size, out var stack)) _idle[size] = stack = new Stack<nint>();
                stack.Push(block);
                _idleBytes += size;
                return;
            }
        }
        NativeMemory.AlignedFree((void*)block);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            foreach (var block in _idle.Values.SelectMany(stack => stack)) NativeMemory.AlignedFree((void*)block);
            _idle.Clear();
            _idleBytes = 0;
        }
    }

    /// <summary>
    /// Powers of two. Batches come in every number of rows, and each size keeps the most blocks it ever had out: the finer the sizes, the more
    /// is kept, and the longer it grows. The part of a block that is not written costs addresses, not memory.
    /// </summary>
    private static long SizeOf(long bytes) => (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, 1024));
}
