using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Frames waiting to be written, in one pooled buffer that grows as needed. Used by one loop at a time.</summary>
internal sealed class FrameBuffer : IBufferWriter<byte>, IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(16 << 10);
    private int _frameStart;

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Clear() => Length = 0;

    public void Begin(FrameKind kind, LaneClass laneClass)
    {
        _frameStart = Length;
        new FrameHeader(0, kind, laneClass).Write(GetSpan(FrameHeader.Size));
        Length += FrameHeader.Size;
    }

    /// <summary>Closes the frame; returns the length of its body.</summary>
    public int End()
    {
        var length = Length - _frameStart - FrameHeader.Size;
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(_frameStart), (uint)length);
        return length;
    }

    /// <summary>Takes the frame begun last back.</summary>
    public void Undo() => Length = _frameStart;

    /// <summary>The header of a chunk whose bytes follow, here or directly on the stream.</summary>
    public void ChunkHeader(LaneClass laneClass, int length)
    {
        new FrameHeader(length, FrameKind.Chunk, laneClass).Write(GetSpan(FrameHeader.Size));
        Length += FrameHeader.Size;
    }

    public void Byte(byte value)
    {
        GetSpan(1)[0] = value;
        Length++;
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(GetSpan(8), value);
        Length += 8;
    }

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(GetSpan(4), value);
        Length += 4;
    }

    /// <summary>UTF-8 with its length in two bytes.</summary>
    public void Text(string value)
    {
        var span = GetSpan(2 + Encoding.UTF8.GetMaxByteCount(value.Length));
        var count = Encoding.UTF8.GetBytes(value, span[2..]);
        BinaryPrimitives.WriteUInt16LittleEndian(span, checked((ushort)count));
        Length += 2 + count;
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Length += bytes.Length;
    }

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(Length);
    }

    public void Dispose()
    {
        if (_bytes.Length == 0) return;
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        Length = 0;
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - Length >= Math.Max(count, 1)) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(Length + Math.Max(count, 1)), 2 * _bytes.Length));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
