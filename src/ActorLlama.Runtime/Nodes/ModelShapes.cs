using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Nodes;

/// <summary>Counts and bytes of a model for the planner, from its config.</summary>
public static class ModelShapes
{
    /// <summary>Of a checkpoint, which is called by its folder.</summary>
    /// <param name="checkpoint">The checkpoint; no weight is read.</param>
    /// <param name="activations">What keys, values and rows on the wire are.</param>
    public static ModelShape Of(Checkpoint checkpoint, ActivationType activations) => Of(
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(checkpoint.Path))), checkpoint.Config,
        checkpoint.Get(ParameterNames.Embed).Type, activations);

    /// <param name="name">Name in tables.</param>
    /// <param name="config">The model.</param>
    /// <param name="weights">How its weights are stored.</param>
    /// <param name="activations">What keys, values and rows on the wire are.</param>
    public static ModelShape Of(string name, LlamaConfig config, ElementType weights, ActivationType activations)
    {
        var elementBytes = weights == ElementType.Float32 ? 4 : 2;
        var activationBytes = activations == ActivationType.Float32 ? 4 : 2;
        var table = ParameterTable.Of(config);
        var embed = table.Find(ParameterNames.Embed)!.Elements * elementBytes;
        var layers = ImmutableArray.CreateBuilder<LayerShape>(config.Layers);
        foreach (var layer in Enumerable.Range(0, config.Layers))
            layers.Add(new LayerShape(
                config.IsMoe[layer],
                table.Parameters.Where(p => p.Layer == layer && p.Group != ParameterGroup.Experts).Sum(p => p.Elements) * elementBytes,
                2 * config.KvHeads * config.HeadDim * activationBytes,
                config.ChunkOf(layer)));
        var trunk = layers.Sum(l => l.TrunkBytes);
        return new ModelShape(
            name, config.HiddenSize, config.VocabSize, config.MaxPositions, config.Experts, config.ExpertsPerToken,
            embed, ModelFootprint.StageBytes(config, LayerRange.All(config), weights) - trunk - embed,
            ModelFootprint.ExpertBytes(config, 1, weights), activationBytes, layers.MoveToImmutable());
    }
}
