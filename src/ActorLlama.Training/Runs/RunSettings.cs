using System.Collections.Immutable;
using System.Text.Json;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Text;
using ActorLlama.Training.Data;
using ActorLlama.Training.Reports;

namespace ActorLlama.Training.Runs;

/// <summary>
/// All that a cluster is told of a run; travels as JSON. Paths are full, and the same on all nodes.
/// </summary>
public sealed record RunSettings
{
    private static readonly JsonSerializerOptions s_json = new() { UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow };

    public required string RunName { get; init; }

    /// <summary>Text of the model's <c>config.json</c>.</summary>
    public required string ConfigJson { get; init; }

    public required TrainerOptions Options { get; init; }

    /// <summary>What it learns from; its number of slots is that of the plan.</summary>
    public required DataSettings Data { get; init; }

    public required RunCadence Cadence { get; init; }

    /// <summary>Batches of an evaluation; below 1: all.</summary>
    public long EvalSteps { get; init; } = -1;

    /// <summary>What the plan is asked for.</summary>
    public required TrainingPlanOptions Plan { get; init; }

    /// <summary>What all lines of the run have in common.</summary>
    public required RunFigures Figures { get; init; }

    /// <summary>Where it begins: identity of the state, steps done and updates made.</summary>
    public required StateId Initial { get; init; }

    /// <summary>The checkpoint of that state; null: fresh weights of <see cref="Seed"/>.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The optimizer's state is read there, too.</summary>
    public bool HasOptimizer { get; init; }

    public int Seed { get; init; }

    /// <summary>The run's folder; null: it has none and saves nothing.</summary>
    public string? Folder { get; init; }

    /// <summary>Where metrics go, or null.</summary>
    public string? Metrics { get; init; }

    public bool SavesAsync { get; init; } = true;

    public NotFinitePolicy NotFinite { get; init; } = NotFinitePolicy.Stop;

    /// <summary>Devices that it waits for before it begins.</summary>
    public int MinDevices { get; init; } = 1;

    /// <summary>When a device is lost, wait for another.</summary>
    public bool WaitsForReplacement { get; init; }

    /// <summary>A device that is asked and says nothing for so long is given up.</summary>
    public int SilenceMs { get; init; } = 20_000;

    /// <summary>Files that go with checkpoints, by the name they get there.</summary>
    public ImmutableDictionary<string, string> Files { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Flags on which it depends which tokens a step sees.</summary>
    public ImmutableDictionary<string, string> DataFlags { get; init; } = ImmutableDictionary<string, string>.Empty;

    public string ToJson() => JsonSerializer.Serialize(this, s_json);

    /// <exception cref="InvalidDataException">The text is none that <see cref="ToJson"/> of this version gives.</exception>
    public static RunSettings Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<RunSettings>(json, s_json) ?? throw new JsonException("it is null");
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException($"Training: the run's settings cannot be read ({fault.Message}). Use the same version of the program everywhere.", fault);
        }
    }

    /// <summary>Opens the state that a checkpoint of the run holds or, without a folder, the one that it begins in.</summary>
    internal RunSource Open(LlamaConfig config, string? folder) =>
        folder is not null ? RunSource.Of(folder, hasOptimizer: true)
        : Checkpoint is not null ? RunSource.Of(Checkpoint, HasOptimizer)
        : RunSource.Fresh(config, Seed);

    /// <summary>How its owners write checkpoints together.</summary>
    internal Checkpoints.SharedTrainingCheckpoint Shared() => new(ConfigJson, Options.Weights, [LocalTrainer.MeanPrefix, LocalTrainer.VariancePrefix]);

    /// <summary>What its coordinator goes by.</summary>
    internal CoordinatorSettings Coordination(LlamaConfig config)
    {
        var shape = TrainedShapes.Of(Runtime.Nodes.ModelShapes.Of(RunName, config, Options.Weights, Options.Compute), config);
        return new CoordinatorSettings(shape, Plan, Initial, Cadence.Steps)
        {
            MinDevices = MinDevices,
            ClipNorm = Options.ClipNorm > 0 ? Options.ClipNorm : null,
            NotFinite = NotFinite,
            WaitForReplacement = WaitsForReplacement,
            EnableCheckpointing = Cadence.SavesCheckpoints && Folder is not null,
            AsyncCheckpointing = SavesAsync,
            CheckpointPeriod = Cadence.CheckpointPeriod,
            EvalInterval = Cadence.EvalInterval,
            EvalBatches = EvalSteps,
            SaveOnStart = false,
            MaxAttempts = 16,
            SilenceMs = SilenceMs,
        };
    }

    /// <summary>The data for a plan's slots.</summary>
    internal DataSet OpenData(LlamaConfig config, int slots) => DataSet.Open(
        Data with { Slots = slots, Tokens = new TokenizerOptions(config.VocabSize, config.BosId, config.EosIds, config.PadId) });
}
