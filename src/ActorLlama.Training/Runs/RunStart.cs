using ActorLlama.Checkpoints;
using ActorLlama.Model;

namespace ActorLlama.Training.Runs;

/// <summary>
/// What a run begins with (spec 7.7): the newest checkpoint of its own; else weights of another, or weights and optimizer; else fresh weights.
/// </summary>
/// <param name="Checkpoint">Where weights are read; null: they are made.</param>
/// <param name="HasOptimizer">True when the optimizer's state is read there, too.</param>
/// <param name="FirstStep">The first step to make.</param>
/// <param name="Record">What the run that wrote the checkpoint said of itself; null without optimizer.</param>
/// <param name="ConfigJson">Text of the model's <c>config.json</c>.</param>
/// <param name="Config">What it says.</param>
/// <param name="Tokenizer">The checkpoint's tokenizer file, or null.</param>
public sealed record RunStart(string? Checkpoint, bool HasOptimizer, long FirstStep, RunRecord? Record, string ConfigJson, LlamaConfig Config, string? Tokenizer)
{
    /// <param name="run">The run's folder; null when it has none.</param>
    /// <param name="parametersPath"><c>load_parameters_path</c>, or "".</param>
    /// <param name="fullStatePath"><c>load_full_state_path</c>, or "": the run counts its steps on from that checkpoint's.</param>
    /// <param name="shape">Name and <c>config.json</c> of the shape that <c>model_name</c> says; null: that of the checkpoint.</param>
    /// <exception cref="InvalidDataException">A checkpoint is broken, is of another shape, or there is neither a checkpoint nor a shape.</exception>
    public static RunStart Of(RunFolder? run, string parametersPath, string fullStatePath, (string Name, string ConfigJson)? shape)
    {
        if (run?.NewestCheckpoint is { } newest) return FromCheckpoint(newest, hasOptimizer: true, shape);
        if (fullStatePath.Length > 0) return FromCheckpoint(fullStatePath, hasOptimizer: true, shape);
        if (parametersPath.Length > 0) return FromCheckpoint(parametersPath, hasOptimizer: false, shape);
        if (shape is not { } fresh) throw new InvalidDataException("Training: there is no checkpoint to start from and no model_name. Give one of them.");
        return new RunStart(null, false, 0, null, fresh.ConfigJson, LlamaConfigReader.Read(fresh.ConfigJson, fresh.Name).Config, null);
    }

    private static RunStart FromCheckpoint(string folder, bool hasOptimizer, (string Name, string ConfigJson)? shape)
    {
        using var checkpoint = CheckpointDirectory.Open(folder);
        if (shape is { } wanted) RequireShape(checkpoint, wanted.Name, LlamaConfigReader.Read(wanted.ConfigJson, wanted.Name).Config);
        if (!hasOptimizer) return new RunStart(folder, false, 0, null, checkpoint.ConfigJson, checkpoint.Config, checkpoint.TokenizerPath);
        OptimizerState.Open(folder).Dispose();
        return new RunStart(folder, true, TrainingCheckpoint.StepOf(folder)!.Value + 1, RunRecord.Parse(TrainingCheckpoint.RecordOf(folder), folder), checkpoint.ConfigJson, checkpoint.Config, checkpoint.TokenizerPath);
    }

    private static void RequireShape(Checkpoint checkpoint, string name, LlamaConfig wanted)
    {
        var parameters = ParameterTable.Of(checkpoint.Config);
        foreach (var parameter in ParameterTable.Of(wanted).Parameters)
            if (parameters.Find(parameter.Name)?.Shape.AsSpan().SequenceEqual(parameter.Shape.AsSpan()) != true)
                throw new InvalidDataException(
                    $"Training: model_name is \"{name}\", whose {parameter.Name} is [{string.Join(',', parameter.Shape)}]; that of \"{checkpoint.Path}\" is "
                    + $"{(parameters.Find(parameter.Name) is { } found ? $"[{string.Join(',', found.Shape)}]" : "missing")}. Name its shape, or another run_name.");
    }
}
