using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>One parameter of the text decoder.</summary>
/// <param name="Name">Canonical name (spec 3.3).</param>
/// <param name="Shape">[n] for norms, [out,in] for linear layers, [V,D] for embedding and head, [E,in,out] for routed experts.</param>
/// <param name="Group">The part of the model it belongs to.</param>
/// <param name="Layer">Its layer; null for embedding, final norm and head.</param>
public sealed record Parameter(string Name, ImmutableArray<long> Shape, ParameterGroup Group, int? Layer)
{
    public long Elements { get; } = Shape.Aggregate(1L, (product, size) => checked(product * size));
}
