using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>A weight in its source. Readable until its <see cref="ITensorSource"/> is disposed.</summary>
/// <param name="name">Name as the checkpoint spells it, for messages.</param>
/// <param name="type">Element type.</param>
/// <param name="shape">Sizes, outermost first.</param>
public abstract class StoredTensor(string name, ElementType type, ImmutableArray<long> shape) : TensorData(name, type, shape)
{
    /// <summary>
    /// First byte of the matrix [out,in] in the packed panels that the CPU kernels of this program read (<c>WeightPanels.Packed</c>), where the source has it
    /// so; null otherwise.
    /// </summary>
    public virtual nint? Panels => null;

    /// <summary>The whole tensor, row major in one piece of memory: where it lies if it does so there, otherwise a copy.</summary>
    public abstract HeldEntries Hold();

    /// <summary>
    /// Columns [column, column + columns) of the matrices [first, first + count) of [E,in,out]: where they lie if their rows do so at equal distances, otherwise
    /// copies. Touches no other expert.
    /// </summary>
    public abstract HeldEntries Hold(int first, int count, long column, long columns);
}
