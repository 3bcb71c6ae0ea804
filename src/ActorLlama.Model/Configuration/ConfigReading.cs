using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>What a <c>config.json</c> said.</summary>
/// <param name="Config">The text decoder.</param>
/// <param name="IsMultimodal">True for the layout with <c>text_config</c>, whose checkpoint keys start with <c>language_model.</c>.</param>
/// <param name="Warnings">Values that are honoured but look wrong, one sentence each.</param>
public sealed record ConfigReading(LlamaConfig Config, bool IsMultimodal, ImmutableArray<string> Warnings);
