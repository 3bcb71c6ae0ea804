using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Training;

/// <summary>Sums of squares by chunk over everything that an owner holds, as it reports them: each of its chunks once, ascending, 0 for one that no parameter has.</summary>
internal static class ChunkSums
{
    /// <param name="shards">What is held.</param>
    /// <param name="chunks">The model's chunks.</param>
    /// <param name="table">Its parameters: the first that is not finite is the first of them.</param>
    /// <param name="owned">The owner's chunks, ascending.</param>
    public static (ImmutableArray<TrainingProtocol.ChunkNorm> Norms, TrainingProtocol.BadTensor? NotFinite) OfGradients(
        IEnumerable<ParameterShard> shards, NormChunks chunks, ParameterTable table, IEnumerable<int> owned)
    {
        var all = shards.Select(shard => shard.GradientSquares(chunks)).ToList();
        var bad = all.Select(part => part.NotFinite).OfType<string>().ToHashSet();
        var first = table.Parameters.Select((parameter, order) => (parameter.Name, order)).FirstOrDefault(parameter => bad.Contains(parameter.Name));
        return (Joined(all.Select(part => part.Squares), owned), first.Name is null ? null : new TrainingProtocol.BadTensor(first.order, first.Name));
    }

    public static ImmutableArray<TrainingProtocol.ChunkNorm> OfWeights(IEnumerable<ParameterShard> shards, NormChunks chunks, IEnumerable<int> owned) =>
        Joined([.. shards.Select(shard => shard.WeightSquares(chunks))], owned);

    private static ImmutableArray<TrainingProtocol.ChunkNorm> Joined(IEnumerable<IReadOnlyDictionary<int, double>> parts, IEnumerable<int> owned)
    {
        var sums = parts.SelectMany(part => part).ToDictionary();
        return [.. owned.Select(chunk => new TrainingProtocol.ChunkNorm(chunk, sums.GetValueOrDefault(chunk)))];
    }
}
