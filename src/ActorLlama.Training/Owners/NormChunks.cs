using System.Collections.Immutable;
using ActorLlama.Model;

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

    /// <summary>First element of piece <paramref name="piece"/> of a trunk parameter of so many elements; that of piece P is their number.</summary>
    public long StartOf(int piece, long elements) => (long)((Int128)elements * piece / Pieces);

    /// <summary>A parameter's chunks, ascending: flat elements [Start, Start + Elements). Empty ones are left out.</summary>
    public IEnumerable<(int Chunk, long Start, long Elements)> Of(Parameter parameter)
    {
        var (first, count) = parameter.Group == ParameterGroup.Experts ? (Pieces, Experts) : (0, Pieces);
        for (var i = 0; i < count; i++)
        {
            var start = (long)((Int128)parameter.Elements * i / count);
            var end = (long)((Int128)parameter.Elements * (i + 1) / count);
            if (end > start) yield return (first + i, start, end - start);
        }
    }

    /// <summary>The pieces [First, End) of device <paramref name="device"/> of so many: even shares, in order.</summary>
    public (int First, int End) PiecesOf(int device, int devices) => (device * Pieces / devices, (device + 1) * Pieces / devices);

    /// <summary>What a device holds of every trunk parameter; nothing of those that are too small.</summary>
    public ImmutableArray<ParameterRange> TrunkOf(LlamaConfig config, int device, int devices)
    {
        var (first, end) = PiecesOf(device, devices);
        return
        [
            .. ParameterTable.Of(config).Parameters.Where(parameter => parameter.Group != ParameterGroup.Experts)
                .Select(parameter => new ParameterRange(parameter, StartOf(first, parameter.Elements), StartOf(end, parameter.Elements)))
                .Where(range => range.Elements > 0),
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
