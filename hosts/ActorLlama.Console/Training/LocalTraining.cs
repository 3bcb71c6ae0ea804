using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Training;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>A trainer on this process's device, as flags ask for it and with what a run starts from.</summary>
internal static class LocalTraining
{
    /// <summary>Throws <see cref="InvalidDataException"/> where flags, model and checkpoint do not go together.</summary>
    public static LocalTrainer Start(RunFlags flags, RunStart start)
    {
        var options = OptionsOf(flags, start.Config);
        using var source = start.Checkpoint is { } folder
            ? RunSource.Of(folder, start.HasOptimizer)
            : RunSource.Fresh(start.Config, flags.Whole("init_weights_seed"));
        return new LocalTrainer(start.Config, options, source.Weights, source.Moments, start.Record?.Updates ?? 0);
    }

    internal static TrainerOptions OptionsOf(RunFlags flags, LlamaConfig config) => new()
    {
        Compute = flags.Text("dtype") == "float32" ? ActivationType.Float32 : ActivationType.BFloat16,
        Weights = flags.Text("weight_dtype") == "float32" ? ElementType.Float32 : ElementType.BFloat16,
        Strategy = MoeFlags.Choose(config, flags.Truth("sparse_matmul"), flags.Truth("megablox"), flags.Number("capacity_factor")),
        Rematerialises = flags.Text("remat_policy") == "full",
        GradientAccumulation = flags.Whole("gradient_accumulation_steps"),
        ZLossWeight = flags.Number("z_loss_multiplier"),
        LoadBalanceWeight = flags.Number("load_balance_loss_weight"),
        ClipNorm = flags.Number("gradient_clipping_threshold"),
        Adam = new AdamSettings(
            flags.Number("adam_b1"), flags.Number("adam_b2"), flags.Number("adam_eps"), flags.Number("adam_eps_root"), flags.Number("adam_weight_decay"))
        {
            WithoutDecay = ListOf(flags.Text("adamw_mask")),
        },
        LearningRates = new LearningRates(
            flags.Number("learning_rate"),
            flags.Whole("learning_rate_schedule_steps") is > 0 and var steps ? steps : flags.Whole("steps"),
            flags.Text("lr_schedule_type") == "wsd" ? LearningRateShape.WarmupStableDecay : LearningRateShape.Cosine,
            flags.Number("warmup_steps_fraction"), flags.Number("learning_rate_final_fraction"), flags.Number("wsd_decay_steps_fraction")),
    };

    /// <summary>"[a,b]" or "a,b", quoted or not.</summary>
    internal static ImmutableArray<string> ListOf(string text) =>
        [.. text.Trim().TrimStart('[').TrimEnd(']').Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(part => part.Trim('"', '\''))];
}
