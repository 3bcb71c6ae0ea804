using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// A run as its coordinator sees it. Begins with <see cref="CoordinatorRules.Begin"/>; changed by <see cref="CoordinatorRules.Step"/> only.
/// </summary>
public sealed record CoordinatorState
{
    internal CoordinatorState(CoordinatorSettings settings, string name, long epoch) => (Settings, Name, Epoch) = (settings, name, epoch);

    public CoordinatorSettings Settings { get; }

    /// <summary>No other coordinator of the run has it.</summary>
    internal string Name { get; }

    public long Epoch { get; internal init; }

    public CoordinatorPhase Phase { get; internal init; } = new CoordinatorPhase.Asking([]);

    public TrainingPlan? Plan { get; internal init; }

    /// <summary>The last state that all owners had, or that is being restored.</summary>
    public StateId? State { get; internal init; }

    /// <summary>Checkpoints that are there in full.</summary>
    public ImmutableArray<TrainingCheckpoint> Checkpoints { get; internal init; } = [];

    internal ImmutableArray<PlannedDevice> Members { get; init; } = [];

    /// <summary>Given up: they are not let in again.</summary>
    internal ImmutableHashSet<DeviceId> Expelled { get; init; } = [];

    /// <summary>What storage said, for this epoch; null: nothing yet.</summary>
    internal CoordinatorEvent.StorageRead? Storage { get; init; }

    /// <summary>Steps that may have been done in full: 0 means that the run can begin again without loss.</summary>
    internal long Reached { get; init; }

    /// <summary>The last number given to a plan, an attempt or a save.</summary>
    internal long LastNumber { get; init; }

    /// <summary>Attempts at this step that came to nothing, one after the other.</summary>
    internal int Failures { get; init; }

    /// <summary>How often the state was lost or could not be loaded though no device was, since the run got further than ever before.</summary>
    internal int Faults { get; init; }

    /// <summary>The most steps that were done in full under this coordinator.</summary>
    internal long Furthest { get; init; }

    internal RunningTrainingSave? Save { get; init; }

    /// <summary>The state that a save was last tried in.</summary>
    internal long SaveTriedAt { get; init; } = -1;

    /// <summary>After how many steps the held-out text was last evaluated.</summary>
    internal long EvaluatedAt { get; init; } = -1;

    /// <summary>Devices that could not be let in.</summary>
    internal ImmutableHashSet<DeviceId> LeftOut { get; init; } = [];

    internal bool IsStopping { get; init; }

    /// <summary>Since when a device owes an answer.</summary>
    internal ImmutableDictionary<DeviceId, long> UnansweredMs { get; init; } = ImmutableDictionary<DeviceId, long>.Empty;

    internal long PhaseMs { get; init; }

    internal long SentMs { get; init; }
}

/// <summary>
/// Where a run is. Asking → Restoring → Running → Committing → Running … → Ended; beside it Pausing between attempts, Evaluating between steps, Snapshotting and Saving for
/// checkpoints, and, when a device is lost, Settling and Waiting before Restoring.
/// </summary>
public abstract record CoordinatorPhase
{
    private CoordinatorPhase()
    {
    }

    /// <summary>All devices are asked what they hold.</summary>
    public sealed record Asking(ImmutableArray<TrainingProtocol.Held> Answers) : CoordinatorPhase;

    /// <summary>A checkpoint is becoming one; what is to be restored depends on that.</summary>
    public sealed record Settling(string Reason) : CoordinatorPhase;

    /// <summary>Too few devices.</summary>
    public sealed record Waiting(string Reason) : CoordinatorPhase;

    /// <summary>Everybody loads the plan's state.</summary>
    public sealed record Restoring(string? Folder, ImmutableHashSet<DeviceId> Done) : CoordinatorPhase;

    /// <summary>Forward, backward, exchange.</summary>
    public sealed record Running(AttemptId Attempt, ImmutableDictionary<DeviceId, TrainingProtocol.Report> Reports) : CoordinatorPhase;

    /// <summary>Until the next attempt.</summary>
    public sealed record Pausing(long UntilMs) : CoordinatorPhase;

    /// <summary>Decided: the attempt is applied everywhere, with that factor. <paramref name="Done"/>: who has, with its weights' sums of squares.</summary>
    public sealed record Committing(AttemptId Attempt, double? Factor, StepSums Sums, ImmutableDictionary<DeviceId, ImmutableArray<TrainingProtocol.ChunkNorm>> Done) : CoordinatorPhase;

    /// <summary>Forward, over that batch of the held-out text. <paramref name="Sums"/>: of the batches before it.</summary>
    public sealed record Evaluating(AttemptId Attempt, long Batch, ImmutableDictionary<DeviceId, TrainingProtocol.Report> Reports, EvaluationSums Sums) : CoordinatorPhase;

    /// <summary>Everybody copies the state that is saved.</summary>
    public sealed record Snapshotting(ImmutableHashSet<DeviceId> Done) : CoordinatorPhase;

    /// <summary>Training waits for the checkpoint.</summary>
    public sealed record Saving : CoordinatorPhase;

    public sealed record Ended(TrainingOutcome Outcome) : CoordinatorPhase;
}

/// <summary>A checkpoint on its way.</summary>
/// <param name="Id">Which.</param>
/// <param name="State">Of what.</param>
/// <param name="SinceMs">When it was begun.</param>
/// <param name="IsAwaited">Training goes on only when it is there.</param>
internal sealed record RunningTrainingSave(TrainingSaveId Id, StateId State, long SinceMs, bool IsAwaited)
{
    public ImmutableDictionary<DeviceId, TrainingProtocol.Written> Written { get; init; } = ImmutableDictionary<DeviceId, TrainingProtocol.Written>.Empty;

    /// <summary>All parts are there; nobody is needed any more.</summary>
    public bool IsManifestSent { get; init; }

    /// <summary>Where its files are while they are written, below the run's folder.</summary>
    public string Folder => $"{State.StepsDone}-{Id}";
}
