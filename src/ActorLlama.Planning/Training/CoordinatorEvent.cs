using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>A checkpoint that is there in full, in that folder.</summary>
public sealed record TrainingCheckpoint(StateId State, string Folder);

/// <summary>What a training coordinator learns.</summary>
public abstract record CoordinatorEvent
{
    private CoordinatorEvent()
    {
    }

    /// <summary>All devices that there are now. One that was left out is lost for good: its node comes back as another.</summary>
    public sealed record Members(ImmutableArray<PlannedDevice> Devices) : CoordinatorEvent;

    /// <summary>A <see cref="TrainingProtocol"/> message of an owner.</summary>
    public sealed record Heard(IClusterMessage Message) : CoordinatorEvent;

    /// <summary>
    /// The checkpoints of the run, which now belongs to the coordinator of that epoch. <paramref name="WasBegun"/>: <see cref="CoordinatorEffect.MarkBegun"/> was asked for
    /// before.
    /// </summary>
    public sealed record StorageRead(long Epoch, ImmutableArray<TrainingCheckpoint> Checkpoints, bool WasBegun) : CoordinatorEvent;

    /// <summary>The run belongs to a coordinator of that higher epoch.</summary>
    public sealed record StorageFenced(long Epoch) : CoordinatorEvent;

    /// <summary>The parts are one checkpoint now, with that digest, in that folder.</summary>
    public sealed record ManifestWritten(TrainingSaveId Save, string Digest, string Folder) : CoordinatorEvent;

    public sealed record ManifestFailed(TrainingSaveId Save, string Reason) : CoordinatorEvent;

    /// <summary>Somebody wants the run to end after this step.</summary>
    public sealed record StopRequested : CoordinatorEvent;

    /// <summary>Time passes: several times a second.</summary>
    public sealed record Tick : CoordinatorEvent;
}

/// <summary>What a training coordinator is to do, in this order.</summary>
public abstract record CoordinatorEffect
{
    private CoordinatorEffect()
    {
    }

    public sealed record Tell(DeviceId Device, IClusterMessage Message) : CoordinatorEffect;

    /// <summary>Take the run's folder for this epoch, unless a higher one has it, and list what is there; ends with StorageRead or StorageFenced.</summary>
    public sealed record ReadStorage(long Epoch) : CoordinatorEffect;

    /// <summary>The first attempt begins: from now on state can be lost. Not answered.</summary>
    public sealed record MarkBegun : CoordinatorEffect;

    /// <summary>
    /// Make the files one checkpoint, unless a higher epoch has the run; always ends with ManifestWritten, ManifestFailed or StorageFenced.
    /// </summary>
    public sealed record WriteManifest(TrainingSaveId Save, StateId State, TrainingPlan Plan, string Folder, ImmutableArray<SaveProtocol.File> Files) : CoordinatorEffect;

    /// <summary>A checkpoint will not be: remove what was written of it. Reason for the log.</summary>
    public sealed record AbandonSave(TrainingSaveId Save, string Folder, string Reason) : CoordinatorEffect;

    /// <summary>The device has been silent: have its node leave the cluster.</summary>
    public sealed record Expel(DeviceId Device, string Reason) : CoordinatorEffect;

    /// <summary>A plan takes effect, in that state; reason for the log.</summary>
    public sealed record Planned(TrainingPlan Plan, StateId State, string Reason) : CoordinatorEffect;

    /// <summary>An attempt came to nothing; for the log.</summary>
    public sealed record AttemptFailed(AttemptId Attempt, string Reason) : CoordinatorEffect;

    /// <summary>All owners have committed the step. Comes again for the same step after a coordinator was lost or the state was restored.</summary>
    public sealed record StepDone(StepSums Sums) : CoordinatorEffect;

    /// <summary>The held-out text has been evaluated. May come again for the same step, as <see cref="StepDone"/>.</summary>
    public sealed record Evaluated(RunProtocol.Evaluation Evaluation) : CoordinatorEffect;

    /// <summary>The run is over for this coordinator.</summary>
    public sealed record Ended(TrainingOutcome Outcome) : CoordinatorEffect;
}
