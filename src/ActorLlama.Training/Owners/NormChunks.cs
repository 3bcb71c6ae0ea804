using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;

namespace ActorLlama.Training;

/// <summary>
/// The fixed parts in which norms are summed and by which parameters are owned: piece p of P of every trunk parameter is chunk p, routed expert e is chunk P + e. What an
/// owner holds are whole chunks, so a norm is the same bits however they are spread.
/// </summary>
/// <param name="Pieces">P: pieces of each trunk parameter.</param>
/// <param name="Experts">Routed experts.</param>
public sealed record NormChunks(int Pieces, int Experts)
{
    public int Count => Pieces + Experts;

    /// <summary>A parameter's chunks, ascending: flat elements [Start, Start + Elements). Empty ones are left out.</summary>
    public IEnumerable<(int Chunk, long Start, long Elements)> Of(Parameter parameter)
    {
        var (first, count) = parameter.Group == ParameterGroup.Experts ? (Pieces, Experts) : (0, Pieces);
        for (var i = 0; i < count; i++)
        {
            long start = TrunkPieces.StartOf(i, count, parameter.Elements), end = TrunkPieces.StartOf(i + 1, count, parameter.Elements);
            if (end > start) yield return (first + i, start, end - start);
        }
    }

    /// <summary>What an owner of these pieces holds of every trunk parameter: pieces that touch are one range; nothing of parameters that are too small for them.</summary>
    public ImmutableArray<ParameterRange> TrunkOf(LlamaConfig config, IEnumerable<int> pieces)
    {
        var ascending = pieces.Order().ToList();
        return
        [
            .. ParameterTable.Of(config).Parameters.Where(parameter => parameter.Group != ParameterGroup.Experts)
                .SelectMany(parameter => TrunkPieces.RangesOf(ascending, Pieces, parameter.Elements).Select(range => new ParameterRange(parameter, range.Start, range.End))),
        ];
    }

    /// <summary>Routed experts [first, first + count) of every MoE layer.</summary>
    public ImmutableArray<ParameterRange> ExpertsOf(LlamaConfig config, int first, int count) =>
    [
        .. ParameterTable.Of(config).Parameters.Where(parameter => parameter.Group == ParameterGroup.Experts)
            .Select(parameter => new ParameterRange(parameter, parameter.Elements / Experts * first, parameter.Elements / Experts * (first + count))),
    ];
}

/// <summary>Flat elements [Start, End) of a parameter.</summary>
public sealed record ParameterRange(Parameter Parameter, long Start, long End)
{
    public long Elements => End - Start;
}
