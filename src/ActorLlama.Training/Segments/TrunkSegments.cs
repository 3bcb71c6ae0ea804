using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Training;

/// <summary>
/// The parts that the trunk is gathered and computed in: the embedding is segment 0, layer l is segment l + 1, final norm and head are the last. Routed experts belong to
/// none. A tied embedding belongs to the first and the last.
/// </summary>
public static class TrunkSegments
{
    public static int Count(LlamaConfig config) => config.Layers + 2;

    public static int OfLayer(int layer) => layer + 1;

    public static int Head(LlamaConfig config) => config.Layers + 1;

    /// <summary>The first segment that a parameter of the trunk belongs to.</summary>
    public static int OfParameter(LlamaConfig config, Parameter parameter) =>
        parameter.Layer is { } layer ? OfLayer(layer) : parameter.Group == ParameterGroup.Embedding ? 0 : Head(config);

    /// <summary>Each segment's parameters, in canonical order.</summary>
    public static ImmutableArray<ImmutableArray<Parameter>> Of(LlamaConfig config)
    {
        var trunk = ParameterTable.Of(config).Parameters.Where(parameter => parameter.Group != ParameterGroup.Experts).ToList();
        return
        [
            .. Enumerable.Range(0, Count(config)).Select(segment => trunk.Where(parameter =>
                OfParameter(config, parameter) == segment || (parameter.Group == ParameterGroup.Embedding && config.TieEmbeddings && segment == Head(config))).ToImmutableArray()),
        ];
    }
}
