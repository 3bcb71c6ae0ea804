using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>
/// Everything of a Llama 4 text decoder that changes its maths or its shapes (spec 1.1). Made by <c>LlamaConfigReader</c> from a
/// Hugging Face <c>config.json</c>; valid once made.
/// </summary>
public sealed record LlamaConfig
{
    public required int Layers { get; init; }
    public required int HiddenSize { get; init; }
    public required int QueryHeads { get; init; }
    public required int KvHeads { get; init; }
    public required int HeadDim { get; init; }

    /// <summary>Hidden width of a routed expert and of the shared expert.</summary>
    public required int ExpertHidden { get; init; }

    /// <summary>Hidden width of a dense layer's FFN.</summary>
    public required int DenseHidden { get; init; }

    public required int Experts { get; init; }
    public required int ExpertsPerToken { get; init; }
    public required int VocabSize { get; init; }

    /// <summary>Longest context in positions.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Attention chunk of RoPE layers in positions (spec 2.7); null: no chunk mask.</summary>
    public required int? AttentionChunk { get; init; }

    public required double NormEps { get; init; }
    public required double RopeTheta { get; init; }
    public required RopeScaling? RopeScaling { get; init; }

    /// <summary>Weightless q/k norm on RoPE layers (spec 2.4).</summary>
    public required bool QkNorm { get; init; }

    /// <summary>Temperature on NoPE layers' queries (spec 2.6).</summary>
    public required bool TemperatureTuning { get; init; }

    public required double FloorScale { get; init; }
    public required double AttnScale { get; init; }

    /// <summary>Per layer: true = rotary and chunked, false = NoPE and full causal.</summary>
    public required ImmutableArray<bool> UsesRope { get; init; }

    /// <summary>Per layer: true = mixture of experts, false = dense FFN.</summary>
    public required ImmutableArray<bool> IsMoe { get; init; }

    public required bool TieEmbeddings { get; init; }
    public required int BosId { get; init; }
    public required ImmutableArray<int> EosIds { get; init; }
    public required int? PadId { get; init; }

    /// <summary>Chunk that layer <paramref name="layer"/> masks by, or null for full causal attention.</summary>
    public int? ChunkOf(int layer) => UsesRope[layer] ? AttentionChunk : null;
}
