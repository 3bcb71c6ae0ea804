using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Model;

namespace ActorLlama.Cli;

/// <summary>The routed experts of a checkpoint, layer by layer: what placement deals out.</summary>
internal static class ExpertTable
{
    /// <summary>One row per MoE layer.</summary>
    public static ImmutableArray<Row> Of(LlamaConfig config, IEnumerable<TensorSummary> tensors)
    {
        var byName = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        return
        [
            .. Enumerable.Range(0, config.Layers).Where(layer => config.IsMoe[layer]).Select(layer =>
            {
                var (gateUp, down) = (byName[ParameterNames.ExpertsGateUp(layer)], byName[ParameterNames.ExpertsDown(layer)]);
                var dtype = gateUp.Type == down.Type ? gateUp.Type : $"{gateUp.Type}+{down.Type}";
                return new Row(layer, config.Experts, dtype, (gateUp.Elements + down.Elements) / config.Experts, (gateUp.Bytes + down.Bytes) / config.Experts);
            }),
        ];
    }

    /// <summary>The experts of a layer.</summary>
    /// <param name="Layer">Index from 0.</param>
    /// <param name="Experts">How many.</param>
    /// <param name="Dtype">Their element type.</param>
    /// <param name="Parameters">Parameters of one.</param>
    /// <param name="Bytes">Bytes of one, as stored.</param>
    internal sealed record Row(int Layer, int Experts, string Dtype, long Parameters, long Bytes);
}
