using System.Buffers;
using System.Runtime.CompilerServices;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// Frames from a stream. Memory: one pooled buffer that grows with the bytes that have arrived, never with a length that was only
/// claimed. Used by one loop at a time, which awaits each call once: that is why their state can be pooled.
/// </summary>
internal sealed class FrameReader(Stream stream, TimeProvider time) : IDisposable
{
    private const int InitialBytes = 16 << 10;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(InitialBytes);
    private int _start;
    private int _end;
    private long _lastRead = time.GetTimestamp();

    /// <summary>Timestamp of the last bytes that arrived.</summary>
    public long LastRead
    {
        get => Interlocked.Read(ref _lastRead);
        set => Interlocked.Exchange(ref _lastRead, value);
    }

    /// <summary>The next frame's header, or null at the end of the stream. Throws <see cref="LaneFormatException"/>.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FrameHeader?> ReadHeaderAsync(int maxLength, CancellationToken cancel)
    {
        if (_start == _end && !await FillAsync(cancel).ConfigureAwait(false)) return null;
        await BufferAsync(FrameHeader.Size, cancel).ConfigureAwait(false);
        var header = FrameHeader.Parse(_buffer.AsSpan(_start, FrameHeader.Size), maxLength);
        _start += FrameHeader.Size;
        return header;
    }

    /// <summary>The next bytes in one piece, valid until the next call.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancel)
    {
        await BufferAsync(count, cancel).ConfigureAwait(false);
        var bytes = _buffer.AsMemory(_start, count);
        _start += count;
        return bytes;
    }

    /// <summary>The next bytes into <paramref name="into"/>, past the buffer where they are not in it yet.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask CopyAsync(Memory<byte> into, CancellationToken cancel)
    {
        var buffered = Math.Min(into.Length, _end - _start);
        _buffer.AsSpan(_start, buffered).CopyTo(into.Span);
        _start += buffered;
        into = into[buffered..];
        while (!into.IsEmpty)
        {
            var count = await stream.ReadAsync(into, cancel).ConfigureAwait(false);
            if (count == 0) throw Truncated();
            LastRead = time.GetTimestamp();
            into = into[count..];
        }
    }

    public async ValueTask SkipAsync(int count, CancellationToken cancel)
    {
        while (count > 0)
        {
            if (_start == _end && !await FillAsync(cancel).ConfigureAwait(false)) throw Truncated();
            var step = Math.Min(count, _end - _start);
            _start += step;
            count -= step;
        }
    }

    public void Dispose()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask BufferAsync(int count, CancellationToken cancel)
    {
        while (_end - _start < count)
            if (!await FillAsync(cancel).ConfigureAwait(false)) throw Truncated();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        if (_start == _end) _start = _end = 0;
        if (_end == _buffer.Length) MakeRoom();
        var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancel).ConfigureAwait(false);
        if (count == 0) return false;
        LastRead = time.GetTimestamp();
        _end += count;
        return true;
    }

    private void MakeRoom()
    {
        var kept = _end - _start;
        var into = kept > _buffer.Length / 2 ? ArrayPool<byte>.Shared.Rent(2 * _buffer.Length) : _buffer;
        _buffer.AsSpan(_start, kept).CopyTo(into);
        if (into != _buffer) ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = (into, 0, kept);
    }

    private static LaneFormatException Truncated() => new("Lane: the connection ended inside a frame.");
}
