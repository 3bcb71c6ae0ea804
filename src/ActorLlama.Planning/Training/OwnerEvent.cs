using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>What an owner of trained state learns.</summary>
public abstract record OwnerEvent
{
    private OwnerEvent()
    {
    }

    /// <summary>A <see cref="TrainingProtocol"/> message of a coordinator.</summary>
    public sealed record Told(IClusterMessage Message) : OwnerEvent;

    /// <summary>The parts of that plan are loaded.</summary>
    public sealed record Loaded(TrainingPlanId Plan) : OwnerEvent;

    public sealed record LoadFailed(TrainingPlanId Plan, string Reason, bool Damaged) : OwnerEvent;

    /// <summary>
    /// A call of that attempt has come (<see cref="ExchangeProtocol"/>) which <see cref="OwnerRules.Admit"/> let in, though the attempt is not known here yet.
    /// </summary>
    public sealed record Called(AttemptId Attempt) : OwnerEvent;

    /// <summary>
    /// The owner's slots are through, forward and backward, and all their gradients are with their owners; or forward only, of a batch of the held-out text. With what
    /// <see cref="TrainingProtocol.Report"/> tells of it.
    /// </summary>
    public sealed record Computed(
        AttemptId Attempt, ImmutableArray<TrainingProtocol.SlotLoss> Losses, ImmutableArray<long> ExpertRows, ImmutableArray<long> Micros, TrainingProtocol.HeldOut? HeldOut) : OwnerEvent;

    /// <summary>A slot's gradient of a part of this owner has come; parts are numbered as the plan's <see cref="OwnerState.GradientParts"/>.</summary>
    public sealed record Contributed(AttemptId Attempt, int Part, int Slot) : OwnerEvent;

    /// <summary>The summed gradients are measured.</summary>
    public sealed record Measured(AttemptId Attempt, ImmutableArray<TrainingProtocol.ChunkNorm> Norms, TrainingProtocol.BadTensor? NotFinite) : OwnerEvent;

    /// <summary>Something of the attempt failed here: a call was refused or lost, memory ran out.</summary>
    public sealed record AttemptFailed(AttemptId Attempt, string Reason) : OwnerEvent;

    /// <summary>The update is made, of all parts. <paramref name="Weights"/>: sums of squares of the weights as they are now.</summary>
    public sealed record Applied(AttemptId Attempt, ImmutableArray<TrainingProtocol.ChunkNorm> Weights) : OwnerEvent;

    /// <summary>The update broke off: the parts are in no state any more.</summary>
    public sealed record ApplyFailed(AttemptId Attempt, string Reason) : OwnerEvent;

    public sealed record Written(TrainingSaveId Save, ImmutableArray<SaveProtocol.File> Files) : OwnerEvent;

    public sealed record WriteFailed(TrainingSaveId Save, string Reason) : OwnerEvent;
}

/// <summary>What an owner is to do, in this order.</summary>
public abstract record OwnerEffect
{
    private OwnerEffect()
    {
    }

    /// <summary>Answer the coordinator.</summary>
    public sealed record Tell(IClusterMessage Message) : OwnerEffect;

    /// <summary>
    /// Load the plan's parts in that state, from the folder or, when it is null, as the run begins; ends with Loaded or LoadFailed. <paramref name="Keep"/>: the parts
    /// that are here already are in that state. A load that is on its way ends.
    /// </summary>
    public sealed record Load(TrainingPlan Plan, StateId State, string? Folder, bool Keep) : OwnerEffect;

    /// <summary>Drop all parts.</summary>
    public sealed record Unload : OwnerEffect;

    /// <summary>Be ready for gradients of this attempt.</summary>
    public sealed record Open(AttemptId Attempt, StateId State) : OwnerEffect;

    /// <summary>Compute the plan's slots, of that batch of the held-out text or, null, of the step; ends with Computed or AttemptFailed.</summary>
    public sealed record Compute(AttemptId Attempt, StateId State, ImmutableArray<int> Slots, long? Batch) : OwnerEffect;

    /// <summary>Add these slots' gradients of a part, in this order.</summary>
    public sealed record Add(AttemptId Attempt, int Part, ImmutableArray<int> Slots) : OwnerEffect;

    /// <summary>Throw away a gradient that is not wanted.</summary>
    public sealed record Reject(AttemptId Attempt, int Part, int Slot) : OwnerEffect;

    /// <summary>Measure the summed gradients; ends with Measured or AttemptFailed.</summary>
    public sealed record Measure(AttemptId Attempt) : OwnerEffect;

    /// <summary>
    /// Update all parts with the gradients times the factor; null: leave them, the step is skipped. <paramref name="Update"/>: Adam's t, from 1. Ends with Applied or
    /// ApplyFailed.
    /// </summary>
    public sealed record Apply(AttemptId Attempt, double? Factor, long Update) : OwnerEffect;

    /// <summary>Stop computing for the attempt and drop its gradients.</summary>
    public sealed record Drop(AttemptId Attempt) : OwnerEffect;

    /// <summary>Copy the parts as they are and write the copy into the folder; ends with Written or WriteFailed.</summary>
    public sealed record TakeSnapshot(TrainingSaveId Save, StateId State, TrainingPlan Plan, string Folder) : OwnerEffect;

    /// <summary>Stop writing and drop the copy.</summary>
    public sealed record DropSnapshot(TrainingSaveId Save) : OwnerEffect;
}
