namespace ActorLlama.Model;

/// <summary>The trunk's weights of one layer: attention, and either a dense FFN or the router and the shared expert.</summary>
internal sealed record LayerWeights(
    Weight AttnNorm, Weight Q, Weight K, Weight V, Weight O, Weight FfnNorm, FfnWeights Ffn, Weight? Router)
{
    public static LayerWeights Load(IHeldWeights from, LlamaConfig config, int layer) => new(
        from.Vector(ParameterNames.AttnNorm(layer)),
        from.Linear(ParameterNames.AttnQ(layer)),
        from.Linear(ParameterNames.AttnK(layer)),
        from.Linear(ParameterNames.AttnV(layer)),
        from.Linear(ParameterNames.AttnO(layer)),
        from.Vector(ParameterNames.FfnNorm(layer)),
        config.IsMoe[layer]
            ? new(
                from.Linear(ParameterNames.SharedGate(layer)),
                from.Linear(ParameterNames.SharedUp(layer)),
                from.Linear(ParameterNames.SharedDown(layer)))
            : new(
                from.Linear(ParameterNames.DenseGate(layer)),
                from.Linear(ParameterNames.DenseUp(layer)),
                from.Linear(ParameterNames.DenseDown(layer))),
        config.IsMoe[layer] ? from.Router(ParameterNames.Router(layer)) : null);
}

/// <summary>A gated FFN's three matrices: the dense one of a dense layer, the shared expert of an MoE layer.</summary>
internal sealed record FfnWeights(Weight Gate, Weight Up, Weight Down);
