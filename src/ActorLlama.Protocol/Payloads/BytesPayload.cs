using System.Buffers;

namespace ActorLlama.Protocol;

/// <summary>A payload in a buffer of the shared pool. Not sealed: one that came over the lane gives its sender's credit back when released.</summary>
public class BytesPayload : Payload
{
    private readonly byte[] _buffer;

    /// <summary>Throws <see cref="OutOfMemoryException"/>, and is no payload then.</summary>
    protected BytesPayload(int bytes)
        : this(ArrayPool<byte>.Shared.Rent(bytes), bytes)
    {
    }

    private BytesPayload(byte[] buffer, int bytes) => (_buffer, Bytes) = (buffer, bytes);

    public override int Bytes { get; }

    /// <summary>The content; valid until opened or disposed.</summary>
    public Memory<byte> Memory => _buffer.AsMemory(0, Bytes);

    /// <summary>A payload of that many bytes, to be filled through <see cref="Memory"/> before it is sent.</summary>
    public static BytesPayload Rent(int bytes) => new(bytes);

    protected override void Release() => ArrayPool<byte>.Shared.Return(_buffer);
}
