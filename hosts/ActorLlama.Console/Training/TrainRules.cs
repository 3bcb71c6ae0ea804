using ActorLlama.Planning.Training;
using ActorLlama.Training.Data;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>What of <c>train</c>'s flags cannot be, in one line each (spec 6.1, 7).</summary>
internal static class TrainRules
{
    /// <summary>Throws <see cref="InvalidDataException"/> for the first flag that is wrong by itself or beside others.</summary>
    public static void Check(RunFlags flags)
    {
        foreach (var name in (string[])["steps", "max_target_length", "gradient_accumulation_steps", "checkpoint_period"])
            if (flags.Whole(name) < 1) throw Wrong(flags, name, "it is at least 1");
        foreach (var name in (string[])["per_device_batch_size", "learning_rate", "adam_eps"])
            if (flags.Number(name) <= 0) throw Wrong(flags, name, "it is above 0");
        foreach (var name in (string[])["adam_eps_root", "adam_weight_decay", "gradient_clipping_threshold", "z_loss_multiplier", "load_balance_loss_weight"])
            if (flags.Number(name) < 0) throw Wrong(flags, name, "it is at least 0");
        foreach (var name in (string[])["warmup_steps_fraction", "learning_rate_final_fraction", "wsd_decay_steps_fraction"])
            if (flags.Number(name) is < 0 or > 1) throw Wrong(flags, name, "it is from 0 to 1");
        foreach (var name in (string[])["adam_b1", "adam_b2", "held_out_fraction"])
            if (flags.Number(name) is < 0 or >= 1) throw Wrong(flags, name, "it is at least 0 and below 1");
        if (flags.Number("capacity_factor") >= 0) throw Wrong(flags, "capacity_factor", "Llama 4 drops no token, so it is -1");
        if (flags.Truth("enable_dropout")) throw Wrong(flags, "enable_dropout", "Llama 4 has no dropout, so it is false");
        if (!flags.Truth("scan_layers")) throw Wrong(flags, "scan_layers", "runs save the scanned layout; \"actorllama convert\" makes others of it");
        if (flags.Text("mu_dtype") is { Length: > 0 } moments && moments != flags.Text("weight_dtype")) throw Wrong(flags, "mu_dtype", $"moments are kept as weights are, weight_dtype={flags.Text("weight_dtype")}");
        CheckPaths(flags);
        CheckEvaluation(flags);
    }

    /// <summary>How often the run saves and evaluates itself.</summary>
    public static RunCadence CadenceOf(RunFlags flags) =>
        new(flags.Whole("steps"), flags.Truth("enable_checkpointing"), flags.Whole("checkpoint_period"), flags.Whole("eval_interval"));

    public static NotFinitePolicy NotFiniteOf(RunFlags flags) => new(flags.Truth("abort_on_nan_loss"), flags.Truth("abort_on_inf_loss"));

    /// <summary>The run's folder; null when no base_output_directory is given.</summary>
    public static RunFolder? FolderOf(RunFlags flags) =>
        flags.Text("base_output_directory") is { Length: > 0 } folder ? new RunFolder(Path.Combine(folder, flags.Text("run_name"))) : null;

    private static void CheckPaths(RunFlags flags)
    {
        if (flags.Text("load_parameters_path").Length > 0 && flags.Text("load_full_state_path").Length > 0)
            throw new InvalidDataException("Flags: load_parameters_path and load_full_state_path exclude each other: a run starts from weights, or from weights and optimizer. Give one of them.");
        if (flags.Truth("enable_checkpointing") && flags.Text("base_output_directory").Length == 0)
            throw new InvalidDataException("Flags: base_output_directory is empty; checkpoints go there. Give it, or enable_checkpointing=false.");
        if (flags.Text("base_output_directory").Length > 0 && flags.Text("run_name").Length == 0)
            throw new InvalidDataException("Flags: run_name is empty; it names the run's folder in base_output_directory. Give it.");
        if (flags.Text("run_name") is var run && (run is "." or ".." || run.AsSpan().IndexOfAny('/', '\\') >= 0)) throw Wrong(flags, "run_name", "it is the name of a folder");
        if (flags.Text("model_name") == "default" && flags.Text("load_parameters_path").Length == 0 && flags.Text("load_full_state_path").Length == 0)
            throw new InvalidDataException($"Flags: model_name is not given. Shapes are {string.Join(", ", ProgramFiles.ShapeNames().Select(name => $"\"{name}\""))}.");
    }

    private static void CheckEvaluation(RunFlags flags)
    {
        if (flags.Whole("eval_interval") < 1) return;
        if (flags.Text("dataset_type") == DataSet.Synthetic) throw Wrong(flags, "eval_interval", "synthetic data has nothing held out to evaluate on, so it is -1");
        if (flags.Number("held_out_fraction") == 0) throw Wrong(flags, "held_out_fraction", "with eval_interval some text is held out, so it is above 0");
    }

    private static InvalidDataException Wrong(RunFlags flags, string name, string rule) => new($"Flags: {name} is {flags.Text(name)}; {rule}.");
}
