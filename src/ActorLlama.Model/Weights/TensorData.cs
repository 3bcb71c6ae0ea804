using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>
/// A weight's elements, little-endian and row major, wherever they are: what it is, and how it is read. Shapes and offsets are 64-bit throughout (Maverick's experts
/// exceed 2^31 elements). Readable from any thread.
/// </summary>
/// <param name="name">Name, for messages.</param>
/// <param name="type">Element type.</param>
/// <param name="shape">Sizes, outermost first.</param>
public abstract class TensorData(string name, ElementType type, ImmutableArray<long> shape)
{
    public string Name { get; } = name;

    public ElementType Type { get; } = type;

    public ImmutableArray<long> Shape { get; } = shape;

    public long Elements { get; } = shape.Aggregate(1L, (product, size) => checked(product * size));

    public int ElementBytes => Type == ElementType.Float32 ? 4 : 2;

    public long Bytes => Elements * ElementBytes;

    /// <summary>Copies whole elements from byte <paramref name="offset"/> of the row-major tensor on.</summary>
    public abstract void Read(long offset, Span<byte> bytes);
}
