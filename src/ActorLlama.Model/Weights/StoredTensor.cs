using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>
/// A weight where it lies: little-endian elements, row major, in memory that its <see cref="ITensorSource"/> keeps mapped until disposed.
/// </summary>
/// <param name="Name">Name as the checkpoint spells it, for messages.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, outermost first; 64-bit throughout (Maverick's experts exceed 2^31 elements).</param>
/// <param name="Address">First byte.</param>
public sealed record StoredTensor(string Name, ElementType Type, ImmutableArray<long> Shape, nint Address)
{
    public long Elements { get; } = Shape.Aggregate(1L, (product, size) => checked(product * size));

    public int ElementBytes => Type == ElementType.Float32 ? 4 : 2;

    public long Bytes => Elements * ElementBytes;

    /// <summary>Entry <paramref name="index"/> of the first axis, without it: expert e of [E,in,out] is [in,out]. Touches no byte.</summary>
    public StoredTensor At(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Shape[0]);
        var rest = Shape.RemoveAt(0);
        var stride = rest.Aggregate((long)ElementBytes, (product, size) => product * size);
        return new StoredTensor($"{Name}[{index}]", Type, rest, checked((nint)(Address + index * stride)));
    }
}
