using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>One tensor of a checkpoint or of a weight file.</summary>
/// <param name="Name">Canonical name; in a single file, the key.</param>
/// <param name="Key">The key as the file spells it; of several that make it up, the first.</param>
/// <param name="Group">The part of the model, as in <c>experts</c> or <c>vision</c>; <c>file</c> in a single file.</param>
/// <param name="Type">Element type as safetensors spells it.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Bytes">Its length.</param>
public sealed record TensorSummary(string Name, string Key, string Group, string Type, ImmutableArray<long> Shape, long Bytes)
{
    public long Elements { get; } = TensorView.CountOf(Shape);
}
