using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>What a run is, and its bounds; times are milliseconds.</summary>
/// <param name="Shape">The model.</param>
/// <param name="PlanOptions">What its plans are asked for.</param>
/// <param name="Initial">The state that the run begins in.</param>
/// <param name="Steps">Steps when the run is over, counted from the model's first.</param>
public sealed record CoordinatorSettings(TrainedShape Shape, TrainingPlanOptions PlanOptions, StateId Initial, long Steps)
{
    /// <summary>Devices that a run without a plan waits for.</summary>
    public int MinDevices { get; init; } = 1;

    /// <summary>The gradient's norm is clipped to this; null: it is not.</summary>
    public double? ClipNorm { get; init; } = 1.0;

    public NotFinitePolicy NotFinite { get; init; } = NotFinitePolicy.Stop;

    /// <summary>When a device is lost, wait for another instead of going on with those that are left.</summary>
    public bool WaitForReplacement { get; init; }

    /// <summary>Checkpoints are written. Without them nobody who is lost can be replaced.</summary>
    public bool EnableCheckpointing { get; init; } = true;

    /// <summary>Training goes on while a checkpoint is written.</summary>
    public bool AsyncCheckpointing { get; init; } = true;

    /// <summary>A checkpoint after every step whose number (0 first) this divides.</summary>
    public long CheckpointPeriod { get; init; } = 10_000;

    /// <summary>The held-out text is evaluated after each so many steps; below 1: never.</summary>
    public long EvalInterval { get; init; }

    /// <summary>Batches of an evaluation; below 1: all that are held out.</summary>
    public long EvalBatches { get; init; }

    /// <summary>A checkpoint of the state that the run begins in.</summary>
    public bool SaveOnStart { get; init; } = true;

    /// <summary>A checkpoint of the state that the run ends in.</summary>
    public bool SaveOnCompletion { get; init; } = true;

    /// <summary>
    /// How often a step may be attempted, or the state be lost though no device was, before the run ends as failed. Attempts with the delays between them take longer than
    /// <see cref="SilenceMs"/>: else a device that died would end the run before it was given up.
    /// </summary>
    public int MaxAttempts { get; init; } = 10;

    /// <summary>What is not answered for so long is sent again.</summary>
    public int ResendMs { get; init; } = 500;

    /// <summary>A device that is asked and says nothing for so long is given up.</summary>
    public int SilenceMs { get; init; } = 10_000;

    /// <summary>How long an attempt may take until everybody has reported.</summary>
    public int StepDeadlineMs { get; init; } = 600_000;

    /// <summary>How long loading the state may take.</summary>
    public int RestoreDeadlineMs { get; init; } = 1_800_000;

    /// <summary>How long a checkpoint may be written.</summary>
    public int SaveDeadlineMs { get; init; } = 1_800_000;

    /// <summary>How long a run waits for devices before it ends as failed.</summary>
    public int ReplacementMs { get; init; } = 600_000;

    /// <summary>Delay before the next attempt.</summary>
    public BackOff BackOff { get; init; } = new(200, 5000);

    /// <summary>Chunks that the norm is summed by: pieces, then experts.</summary>
    public int Chunks => PlanOptions.Pieces + Shape.Experts;

    /// <summary>All faults, one sentence each; empty when the settings can be used.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, long Value)[] positive =
        [
            (nameof(MinDevices), MinDevices), (nameof(CheckpointPeriod), CheckpointPeriod), (nameof(MaxAttempts), MaxAttempts), (nameof(ResendMs), ResendMs),
            (nameof(SilenceMs), SilenceMs), (nameof(StepDeadlineMs), StepDeadlineMs), (nameof(RestoreDeadlineMs), RestoreDeadlineMs),
            (nameof(SaveDeadlineMs), SaveDeadlineMs), (nameof(ReplacementMs), ReplacementMs), ("BackOff.BaseMs", BackOff.BaseMs),
        ];
        foreach (var (name, value) in positive)
            if (value < 1)
                yield return $"Training: {name} is {value}; it must be at least 1.";
        if (SilenceMs <= 2 * ResendMs)
            yield return $"Training: {nameof(SilenceMs)} {SilenceMs} is not above twice {nameof(ResendMs)} {ResendMs}; one lost message would cost a device. Raise it.";
        if (BackOff.MaxMs >= SilenceMs - (2 * ResendMs))
            yield return $"Training: BackOff.MaxMs {BackOff.MaxMs} is too near to {nameof(SilenceMs)} {SilenceMs}; a lost message before a pause would cost a device. Lower it.";
        if (BackOff.MaxMs < BackOff.BaseMs) yield return $"Training: BackOff.MaxMs {BackOff.MaxMs} is below BackOff.BaseMs {BackOff.BaseMs}. Raise it.";
        if (Enumerable.Range(0, Math.Clamp(MaxAttempts - 1, 0, 1000)).Sum(failures => Math.Min(BackOff.MaxMs, (double)BackOff.BaseMs * Math.Pow(2, failures)) / 2) < SilenceMs)
            yield return $"Training: {nameof(MaxAttempts)} {MaxAttempts} are over before a silent device is given up after {nameof(SilenceMs)} {SilenceMs}. Raise it.";
        if (Steps < Initial.StepsDone) yield return $"Training: steps is {Steps}, but {Initial.StepsDone} are done already. Raise steps.";
        if (ClipNorm is { } clip && !(clip > 0)) yield return $"Training: gradient_clipping_threshold is {clip}; it must be above 0. Change it.";
    }
}
