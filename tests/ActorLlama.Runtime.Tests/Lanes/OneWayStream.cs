namespace ActorLlama.Runtime.Tests.Lanes;

/// <summary>Reads from bytes; what is written is forgotten.</summary>
internal sealed class OneWayStream(byte[] bytes) : MemoryStream(bytes, writable: false)
{
    public override bool CanWrite => true;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;
}
