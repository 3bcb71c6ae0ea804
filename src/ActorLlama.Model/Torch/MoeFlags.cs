namespace ActorLlama.Model;

/// <summary>The flags that choose a strategy, and what they do not allow (spec 6.1).</summary>
public static class MoeFlags
{
    /// <summary>The strategy of MaxText's flags for a model.</summary>
    /// <param name="config">The model.</param>
    /// <param name="sparseMatmul"><c>sparse_matmul</c>.</param>
    /// <param name="megablox"><c>megablox</c>; without sparse products it says nothing.</param>
    /// <param name="capacityFactor"><c>capacity_factor</c>: -1, no token is dropped.</param>
    /// <exception cref="InvalidDataException">The flags or the model ask for what Llama 4 does not define; one line says which.</exception>
    public static MoeStrategy Choose(LlamaConfig config, bool sparseMatmul, bool megablox, double capacityFactor)
    {
        if (capacityFactor >= 0)
            throw new InvalidDataException($"Experts: capacity_factor={capacityFactor} would drop tokens, which Llama 4 does not define. Set capacity_factor=-1.");
        if (config.IsMoe.Contains(true) && config.ExpertsPerToken > 1)
            throw new InvalidDataException($"Experts: num_experts_per_tok is {config.ExpertsPerToken}; Llama 4 is trained with 1. Choose a model with one expert a token.");
        var step = config.IsMoe.IndexOf(true) + 1;
        if (step > 0 && config.Layers % step != 0)
            throw new InvalidDataException($"Experts: {config.Layers} layers are not divisible by interleave_moe_layer_step {step}. Change the model's layers or the step.");
        return !sparseMatmul ? MoeStrategy.Dense : megablox ? MoeStrategy.Grouped : MoeStrategy.Ragged;
    }
}
