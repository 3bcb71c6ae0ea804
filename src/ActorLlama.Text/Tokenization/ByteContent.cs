using System.Buffers.Binary;

namespace ActorLlama.Text;

/// <summary>Equality of byte strings by content.</summary>
internal sealed class ByteContent : IEqualityComparer<ReadOnlyMemory<byte>>
{
    public static readonly ByteContent Instance = new();

    public bool Equals(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceEqual(y.Span);

    /// <summary>Eight bytes at a time: tokens are short, and a published file has 200,000 of them.</summary>
    public int GetHashCode(ReadOnlyMemory<byte> bytes)
    {
        const ulong Odd = 0x9E3779B97F4A7C15;
        var rest = bytes.Span;
        var hash = (ulong)rest.Length;
        for (; rest.Length >= 8; rest = rest[8..]) hash = Mix(hash, BinaryPrimitives.ReadUInt64LittleEndian(rest));
        var last = 0UL;
        foreach (var value in rest) last = (last << 8) | value;
        hash = Mix(hash, last);
        return (int)(hash >> 32);

        static ulong Mix(ulong hash, ulong next) => ((hash ^ next) * Odd) ^ (((hash ^ next) * Odd) >> 29);
    }
}
