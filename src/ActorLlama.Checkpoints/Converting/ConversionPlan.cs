using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>What a conversion would write.</summary>
/// <param name="FromLayout">Layout of the source.</param>
/// <param name="ToLayout">Layout to be written.</param>
/// <param name="Digest">Identity of the source.</param>
/// <param name="Weights">Weight files to be written, with their tensors and bytes of tensors.</param>
/// <param name="Others">Names of the other files.</param>
public sealed record ConversionPlan(
    string FromLayout, string ToLayout, string Digest, ImmutableArray<ConversionPlan.WeightFile> Weights, ImmutableArray<string> Others)
{
    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => Weights.Sum(file => file.Bytes);

    /// <summary>One file of weights.</summary>
    public sealed record WeightFile(string Name, int Tensors, long Bytes);
}
