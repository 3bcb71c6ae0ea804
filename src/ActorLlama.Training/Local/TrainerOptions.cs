using ActorLlama.Model;
using ActorLlama.Planning.Training;

namespace ActorLlama.Training;

/// <summary>How a model is trained (spec 7.1, 7.2).</summary>
public sealed record TrainerOptions
{
    /// <summary>The device that computes: "cpu", "cuda:0".</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Logical devices that slots and trunk parameters are shared among. Changes no bit of the result.</summary>
    public int Devices { get; init; } = 1;

    /// <summary>Shards of routed experts; divides their number. Changes no bit of the result, but with <see cref="MoeStrategy.Dense"/>.</summary>
    public int ExpertShards { get; init; } = 1;

    /// <summary>Pieces that a trunk parameter can be shared out in, and norms are summed by; at least <see cref="Devices"/>.</summary>
    public int Pieces { get; init; } = new TrainingPlanOptions().Pieces;

    /// <summary><c>dtype</c>: what is computed in.</summary>
    public ActivationType Compute { get; init; } = ActivationType.Float32;

    /// <summary><c>weight_dtype</c>: what weights and moments are kept in.</summary>
    public ElementType Weights { get; init; } = ElementType.Float32;

    public MoeStrategy Strategy { get; init; } = MoeStrategy.Grouped;

    /// <summary><c>remat_policy</c>: true, full: keep each layer's input and compute the rest again; false, none: keep everything.</summary>
    public bool Rematerialises { get; init; } = true;

    /// <summary><c>gradient_accumulation_steps</c>: microbatch j of n takes slots j, j + n, …</summary>
    public int GradientAccumulation { get; init; } = 1;

    /// <summary><c>z_loss_multiplier</c>.</summary>
    public double ZLossWeight { get; init; }

    /// <summary><c>load_balance_loss_weight</c> (spec 6.6).</summary>
    public double LoadBalanceWeight { get; init; }

    /// <summary><c>gradient_clipping_threshold</c>: largest norm; 0 or less: no clipping.</summary>
    public double ClipNorm { get; init; } = 1;

    public AdamSettings Adam { get; init; } = new();

    public required LearningRates LearningRates { get; init; }

    /// <summary>Throws <see cref="InvalidDataException"/> in one line where a value does not fit the model.</summary>
    public void Check(LlamaConfig config)
    {
        if (config.IsMoe.Contains(true) && (ExpertShards < 1 || config.Experts % ExpertShards != 0))
            throw Fault($"{config.Experts} experts cannot be shared among {ExpertShards} shards. Choose a number that divides the experts.");
        if (Devices < 1 || Devices > Pieces) throw Fault($"{Devices} devices are not within 1 and the {Pieces} pieces of a parameter. Change one of them.");
        if (GradientAccumulation < 1) throw Fault($"gradient_accumulation_steps={GradientAccumulation}; it must be at least 1.");
        if (config.IsMoe.Contains(true) && config.ExpertsPerToken > 1)
            throw Fault($"num_experts_per_tok is {config.ExpertsPerToken}; Llama 4 is trained with 1. Choose a model with one expert a token.");
    }

    private static InvalidDataException Fault(string what) => new($"Training: {what}");
}
