using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// A model as training sees it. <paramref name="Trunk"/>: its trunk parameters in canonical order. <paramref name="ExpertElements"/>: of one routed expert, summed over all
/// MoE layers; 0 without such layers.
/// </summary>
public sealed record TrainedShape(ModelShape Model, ImmutableArray<TrunkParameter> Trunk, long ExpertElements)
{
    /// <summary>Routed experts that are trained.</summary>
    public int Experts => ExpertElements > 0 ? Model.Experts : 0;

    public long TrunkElements => Trunk.Sum(parameter => parameter.Elements);
}

/// <summary>
/// One trunk parameter. <paramref name="Segment"/>: the part of the model that it is gathered with: the embedding is segment 0, layer l is l + 1, what follows the layers is
/// the last.
/// </summary>
public sealed record TrunkParameter(string Name, int Segment, long Elements);
