using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>Counts and bytes of a model: all that placement needs to know of it. Made from the model's config.</summary>
[MessagePackObject]
public sealed record ModelShape(
    [property: Key(0)] string Name,
    [property: Key(1)] int HiddenSize,
    [property: Key(2)] int VocabSize,
    [property: Key(3)] int MaxPositions,
    [property: Key(4)] int Experts,
    [property: Key(5)] int ExpertsPerToken,
    [property: Key(6)] long EmbedBytes,
    [property: Key(7)] long HeadBytes,
    [property: Key(8)] long ExpertBytes,
    [property: Key(9)] int ActivationBytes,
    [property: Key(10)] ImmutableArray<LayerShape> Layers)
{
    /// <summary>MoE layers of the model; 0 when every layer is dense.</summary>
    [IgnoreMember]
    public int MoeLayers => Layers.Count(l => l.IsMoe);
}

/// <summary>
/// One layer. <paramref name="TrunkBytes"/>: weights without routed experts. <paramref name="KvBytesPerPosition"/>: keys and values of one
/// position. <paramref name="Chunk"/>: positions that the layer's cache is trimmed to, or null.
/// </summary>
/// <remarks><see cref="ModelShape.ExpertBytes"/> is one expert's weights summed over all MoE layers.</remarks>
[MessagePackObject]
public sealed record LayerShape(
    [property: Key(0)] bool IsMoe,
    [property: Key(1)] long TrunkBytes,
    [property: Key(2)] int KvBytesPerPosition,
    [property: Key(3)] int? Chunk);
