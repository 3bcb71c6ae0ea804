using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>One tensor as a safetensors header describes it.</summary>
/// <param name="Name">Its key in the header.</param>
/// <param name="Type">Element type as the format spells it (<see cref="SafetensorsType"/>).</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Offset">Its first byte, counted from the start of the file.</param>
/// <param name="Bytes">Its length.</param>
internal sealed record SafetensorsEntry(string Name, string Type, ImmutableArray<long> Shape, long Offset, long Bytes)
{
    public long End => Offset + Bytes;
}
