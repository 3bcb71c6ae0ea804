using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Nodes;

/// <summary>Sampling as the protocol says it, for the model's sampler.</summary>
internal static class ModelSampling
{
    /// <summary>The settings, unchecked: <see cref="SamplingSettings.Check"/> tells what is wrong with them.</summary>
    public static SamplingSettings Of(SamplingOptions options) => new(options.Temperature, options.TopP, options.TopK, options.Seed)
    {
        Nucleus = options.TopPRule switch
        {
            TopPRule.Tempered => NucleusRule.Tempered,
            TopPRule.UntemperedWithTies => NucleusRule.UntemperedWithTies,
            TopPRule.Untempered => NucleusRule.Untempered,
            _ => throw new InvalidDataException($"Sampling: top-p rule {options.TopPRule} does not exist."),
        },
        RepetitionPenalty = options.RepetitionPenalty,
    };
}
