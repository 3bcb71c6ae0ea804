namespace ActorLlama.Text;

/// <summary>Equality of byte strings by content.</summary>
internal sealed class ByteContent : IEqualityComparer<ReadOnlyMemory<byte>>
{
    public static readonly ByteContent Instance = new();

    public bool Equals(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceEqual(y.Span);

    public int GetHashCode(ReadOnlyMemory<byte> bytes)
    {
        var hash = new HashCode();
        hash.AddBytes(bytes.Span);
        return hash.ToHashCode();
    }
}
