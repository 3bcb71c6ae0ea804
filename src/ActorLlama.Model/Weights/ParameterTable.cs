using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Every parameter of a config with its shape (spec 3.1, 3.3), in forward order: what a checkpoint must hold, no more and no less.</summary>
public sealed class ParameterTable
{
    private readonly Dictionary<string, Parameter> _byName;

    private ParameterTable(LlamaConfig config, ImmutableArray<Parameter> parameters)
    {
        Parameters = parameters;
        _byName = parameters.ToDictionary(parameter => parameter.Name);
        Total = parameters.Sum(parameter => parameter.Elements);
        ActivePerToken = parameters.Sum(
            parameter => parameter.Group == ParameterGroup.Experts
                ? parameter.Elements / config.Experts * config.ExpertsPerToken
                : parameter.Elements);
    }

    public ImmutableArray<Parameter> Parameters { get; }

    /// <summary>Number of parameters (spec 1.1).</summary>
    public long Total { get; }

    /// <summary>Parameters that one token meets: of the routed experts only its own, of embedding and head all.</summary>
    public long ActivePerToken { get; }

    /// <summary>The parameter of that canonical name, or null when the config has none.</summary>
    public Parameter? Find(string canonicalName) => _byName.GetValueOrDefault(canonicalName);

    /// <summary>
    /// Throws <see cref="InvalidDataException"/> naming tensor and both shapes when <paramref name="tensor"/> cannot be the parameter
    /// <paramref name="canonicalName"/>.
    /// </summary>
    public void Check(string canonicalName, StoredTensor tensor)
    {
        var parameter = Find(canonicalName) ?? throw new KeyNotFoundException($"Parameters: the config has no parameter \"{canonicalName}\".");
        if (!tensor.Shape.AsSpan().SequenceEqual(parameter.Shape.AsSpan()))
            throw new InvalidDataException(
                $"Checkpoint: tensor \"{tensor.Name}\" has shape [{string.Join(',', tensor.Shape)}], but the config wants "
                + $"[{string.Join(',', parameter.Shape)}]. Use the config.json that belongs to the weights.");
    }

    public static ParameterTable Of(LlamaConfig config)
    {
        var parameters = ImmutableArray.CreateBuilder<Parameter>();
        long hidden = config.HiddenSize, vocab = config.VocabSize;
        parameters.Add(new(ParameterNames.Embed, [vocab, hidden], ParameterGroup.Embedding, null));
        for (var layer = 0; layer < config.Layers; layer++) parameters.AddRange(OfLayer(config, layer));
        parameters.Add(new(ParameterNames.FinalNorm, [hidden], ParameterGroup.Norm, null));
        if (!config.TieEmbeddings) parameters.Add(new(ParameterNames.LmHead, [vocab, hidden], ParameterGroup.Head, null));
        return new ParameterTable(config, parameters.ToImmutable());
    }

    private static IEnumerable<Parameter> OfLayer(LlamaConfig config, int layer)
    {
        long hidden = config.HiddenSize, queries = (long)config.QueryHeads * config.HeadDim, keys = (long)config.KvHeads * config.HeadDim;
        yield return Of(ParameterNames.AttnNorm(layer), ParameterGroup.Norm, hidden);
        yield return Of(ParameterNames.AttnQ(layer), ParameterGroup.Attention, queries, hidden);
        yield return Of(ParameterNames.AttnK(layer), ParameterGroup.Attention, keys, hidden);
        yield return Of(ParameterNames.AttnV(layer), ParameterGroup.Attention, keys, hidden);
        yield return Of(ParameterNames.AttnO(layer), ParameterGroup.Attention, hidden, queries);
        yield return Of(ParameterNames.FfnNorm(layer), ParameterGroup.Norm, hidden);
        if (!config.IsMoe[layer])
        {
            yield return Of(ParameterNames.DenseGate(layer), ParameterGroup.DenseFfn, config.DenseHidden, hidden);
            yield return Of(ParameterNames.DenseUp(layer), ParameterGroup.DenseFfn, config.DenseHidden, hidden);
            yield return Of(ParameterNames.DenseDown(layer), ParameterGroup.DenseFfn, hidden, config.DenseHidden);
            yield break;
        }
        long ffn = config.ExpertHidden;
        yield return Of(ParameterNames.Router(layer), ParameterGroup.Router, config.Experts, hidden);
        yield return Of(ParameterNames.ExpertsGateUp(layer), ParameterGroup.Experts, config.Experts, hidden, 2 * ffn);
        yield return Of(ParameterNames.ExpertsDown(layer), ParameterGroup.Experts, config.Experts, ffn, hidden);
        yield return Of(ParameterNames.SharedGate(layer), ParameterGroup.SharedExpert, ffn, hidden);
        yield return Of(ParameterNames.SharedUp(layer), ParameterGroup.SharedExpert, ffn, hidden);
        yield return Of(ParameterNames.SharedDown(layer), ParameterGroup.SharedExpert, hidden, ffn);

        Parameter Of(string name, ParameterGroup group, params ReadOnlySpan<long> shape) => new(name, [.. shape], group, layer);
    }
}
