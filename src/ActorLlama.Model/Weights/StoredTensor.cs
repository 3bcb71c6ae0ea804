using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>
/// A weight in its source: what it is, and how it is read. Its elements are little-endian; shapes and offsets are 64-bit throughout (Maverick's
/// experts exceed 2^31 elements). Readable from any thread until its <see cref="ITensorSource"/> is disposed.
/// </summary>
/// <param name="name">Name as the checkpoint spells it, for messages.</param>
/// <param name="type">Element type.</param>
/// <param name="shape">Sizes, outermost first.</param>
public abstract class StoredTensor(string name, ElementType type, ImmutableArray<long> shape)
{
    public string Name { get; } = name;

    public ElementType Type { get; } = type;

    public ImmutableArray<long> Shape { get; } = shape;

    public long Elements { get; } = shape.Aggregate(1L, (product, size) => checked(product * size));

    public int ElementBytes => Type == ElementType.Float32 ? 4 : 2;

    public long Bytes => Elements * ElementBytes;

    /// <summary>
    /// First byte of the matrix [out,in] in the packed panels that the CPU kernels of this program read (<c>WeightPanels.Packed</c>), where the source has it
    /// so; null otherwise.
    /// </summary>
    public virtual nint? Panels => null;

    /// <summary>Copies whole elements from byte <paramref name="offset"/> of the row-major tensor on.</summary>
    public abstract void Read(long offset, Span<byte> bytes);

    /// <summary>The whole tensor, row major in one piece of memory: where it lies if it does so there, otherwise a copy.</summary>
    public abstract HeldEntries Hold();

    /// <summary>
    /// Columns [column, column + columns) of the matrices [first, first + count) of [E,in,out]: where they lie if their rows do so at equal distances, otherwise
    /// copies. Touches no other expert.
    /// </summary>
    public abstract HeldEntries Hold(int first, int count, long column, long columns);
}
