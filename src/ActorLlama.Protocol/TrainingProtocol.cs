using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// Between the training coordinator and the owners: one on each device, for the trunk pieces, experts and slots that the plan gives to it. Whatever the coordinator says is
/// sent again until it is answered, and any of it may come twice or late: what its epoch or plan shows to be old is answered by <see cref="Fenced"/>, or not at all.
/// </summary>
public static class TrainingProtocol
{
    /// <summary>
    /// From a run's coordinator to a device: make an owner for this run, whose settings are that JSON; that of another run ends. Answered, also when it is there, by
    /// <see cref="Entered"/> or, where the device cannot take part, not at all: its node's log says why.
    /// </summary>
    [MessagePackObject]
    public sealed record Enter([property: Key(0)] string Run, [property: Key(1)] DeviceId Device, [property: Key(2)] string Settings) : IClusterMessage;

    /// <summary>The owner itself: it listens on the lane as <paramref name="Target"/>.</summary>
    [MessagePackObject]
    public sealed record Entered([property: Key(0)] string Run, [property: Key(1)] DeviceId Device, [property: Key(2)] LaneTarget Target) : IClusterMessage;

    /// <summary>Where the owners of that plan listen, in the order of its devices. Not answered; sent ahead of each <see cref="Begin"/>.</summary>
    [MessagePackObject]
    public sealed record Peers([property: Key(0)] TrainingPlanId Plan, [property: Key(1)] ImmutableArray<LaneTarget> Targets) : IClusterMessage;

    /// <summary>
    /// From a coordinator that begins, whose name no other has: what do you hold? From now on nothing of a lower epoch is obeyed, nor another coordinator of the same.
    /// Answered by <see cref="Held"/> or <see cref="Fenced"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Ask([property: Key(0)] long Epoch, [property: Key(1)] string Coordinator) : IClusterMessage;

    /// <summary>
    /// What the owner holds: its plan, the state of its parts under it (null: none, or it is being loaded), and the attempt it has not heard the end of.
    /// </summary>
    [MessagePackObject]
    public sealed record Held(
        [property: Key(0)] long Epoch,
        [property: Key(1)] DeviceId Device,
        [property: Key(2)] TrainingPlan? Plan,
        [property: Key(3)] StateId? State,
        [property: Key(4)] HeldAttempt? Attempt) : IClusterMessage;

    /// <summary>Another coordinator, of that epoch, has been heard.</summary>
    [MessagePackObject]
    public sealed record Fenced([property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device) : IClusterMessage;

    /// <summary>
    /// Own what this plan gives you, in this state: that of the checkpoint <c>State.Origin</c>, in <paramref name="Folder"/>; null: of the run's beginning. Drop everything
    /// else. Answered by <see cref="Restored"/>, <see cref="Lost"/> or, meanwhile, <see cref="Working"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Restore(
        [property: Key(0)] long Epoch,
        [property: Key(1)] TrainingPlan Plan,
        [property: Key(2)] StateId State,
        [property: Key(3)] string? Folder) : IClusterMessage;

    [MessagePackObject]
    public sealed record Restored(
        [property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device, [property: Key(2)] TrainingPlanId Plan) : IClusterMessage;

    /// <summary>
    /// The owner does not hold the plan's state, and why. <paramref name="Damaged"/>: the checkpoint that it was to be restored from cannot be read.
    /// </summary>
    [MessagePackObject]
    public sealed record Lost(
        [property: Key(0)] long Epoch,
        [property: Key(1)] DeviceId Device,
        [property: Key(2)] TrainingPlanId Plan,
        [property: Key(3)] string Reason,
        [property: Key(4)] bool Damaged) : IClusterMessage;

    /// <summary>I have heard you and am at it.</summary>
    [MessagePackObject]
    public sealed record Working(
        [property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device, [property: Key(2)] TrainingPlanId Plan) : IClusterMessage;

    /// <summary>
    /// Compute your slots of this attempt, forward and backward, from this state. All attempts before it are over. Answered by <see cref="Report"/>,
    /// <see cref="Failed"/> or, meanwhile, <see cref="Working"/>. <paramref name="Batch"/>: that batch of the held-out text instead, forward only: it is reported and never
    /// committed; null: the step's batch.
    /// </summary>
    [MessagePackObject]
    public sealed record Begin(
        [property: Key(0)] long Epoch,
        [property: Key(1)] TrainingPlanId Plan,
        [property: Key(2)] AttemptId Attempt,
        [property: Key(3)] StateId State,
        [property: Key(4)] long? Batch) : IClusterMessage;

    /// <summary>
    /// The owner's slots are through and all slots' gradients of its parts are summed. <paramref name="Losses"/>: of its slots. <paramref name="Norms"/>: of its chunks.
    /// <paramref name="NotFinite"/>: the first tensor that holds a value which is not, or null. <c>ExpertRows[m·E + e]</c>: rows that its slots had for expert e of E in the
    /// m-th MoE layer. <paramref name="Micros"/>: how the device spent its time since it last reported, by <see cref="StepPhase"/>. <paramref name="HeldOut"/>: for a batch of
    /// the held-out text, from an owner that had slots.
    /// </summary>
    [MessagePackObject]
    public sealed record Report(
        [property: Key(0)] long Epoch,
        [property: Key(1)] DeviceId Device,
        [property: Key(2)] AttemptId Attempt,
        [property: Key(3)] ImmutableArray<SlotLoss> Losses,
        [property: Key(4)] ImmutableArray<ChunkNorm> Norms,
        [property: Key(5)] BadTensor? NotFinite,
        [property: Key(6)] ImmutableArray<long> ExpertRows,
        [property: Key(7)] ImmutableArray<long> Micros,
        [property: Key(8)] HeldOut? HeldOut) : IClusterMessage;

    /// <summary>The attempt came to nothing at this owner, and why.</summary>
    [MessagePackObject]
    public sealed record Failed(
        [property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device, [property: Key(2)] AttemptId Attempt, [property: Key(3)] string Reason) : IClusterMessage;

    /// <summary>
    /// Everybody has reported: update your parts with your gradients times <paramref name="Factor"/>, which divides by the tokens and clips; null: the step counts, but
    /// nothing changes. Answered by <see cref="Applied"/>, <see cref="Lost"/> or, meanwhile, <see cref="Working"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Commit(
        [property: Key(0)] long Epoch,
        [property: Key(1)] TrainingPlanId Plan,
        [property: Key(2)] AttemptId Attempt,
        [property: Key(3)] double? Factor) : IClusterMessage;

    /// <summary><paramref name="Weights"/>: sums of squares of the owner's weights after it, by chunk; empty when the owner knows them no more.</summary>
    [MessagePackObject]
    public sealed record Applied(
        [property: Key(0)] long Epoch,
        [property: Key(1)] DeviceId Device,
        [property: Key(2)] AttemptId Attempt,
        [property: Key(3)] ImmutableArray<ChunkNorm> Weights) : IClusterMessage;

    /// <summary>The attempt will not be committed: drop what belongs to it. Not answered; the next <see cref="Begin"/> says it, too.</summary>
    [MessagePackObject]
    public sealed record Abort(
        [property: Key(0)] long Epoch, [property: Key(1)] TrainingPlanId Plan, [property: Key(2)] AttemptId Attempt) : IClusterMessage;

    /// <summary>All have applied: drop the gradients. Not answered; the next <see cref="Begin"/> says it, too.</summary>
    [MessagePackObject]
    public sealed record AllCommitted(
        [property: Key(0)] long Epoch, [property: Key(1)] TrainingPlanId Plan, [property: Key(2)] AttemptId Attempt) : IClusterMessage;

    /// <summary>
    /// Keep a copy of your parts as they are now, in this state, and write it into the folder while training goes on. Answered by <see cref="Snapshotted"/>, by
    /// <see cref="Written"/>, by <see cref="NotWritten"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Snapshot(
        [property: Key(0)] long Epoch,
        [property: Key(1)] TrainingPlanId Plan,
        [property: Key(2)] TrainingSaveId Save,
        [property: Key(3)] StateId State,
        [property: Key(4)] string Folder) : IClusterMessage;

    /// <summary>The copy is made: the next step may begin.</summary>
    [MessagePackObject]
    public sealed record Snapshotted(
        [property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device, [property: Key(2)] TrainingSaveId Save) : IClusterMessage;

    /// <summary>All files of the owner are whole and on disk.</summary>
    [MessagePackObject]
    public sealed record Written(
        [property: Key(0)] long Epoch,
        [property: Key(1)] DeviceId Device,
        [property: Key(2)] TrainingSaveId Save,
        [property: Key(3)] ImmutableArray<SaveProtocol.File> Files) : IClusterMessage;

    [MessagePackObject]
    public sealed record NotWritten(
        [property: Key(0)] long Epoch, [property: Key(1)] DeviceId Device, [property: Key(2)] TrainingSaveId Save, [property: Key(3)] string Reason) : IClusterMessage;

    /// <summary>The save is over: drop its copy. <paramref name="Digest"/>: of the checkpoint that it became; null: it became none. Not answered.</summary>
    [MessagePackObject]
    public sealed record EndSave(
        [property: Key(0)] long Epoch, [property: Key(1)] TrainingPlanId Plan, [property: Key(2)] TrainingSaveId Save, [property: Key(3)] string? Digest) : IClusterMessage;

    /// <summary>The run is over: drop everything. Not answered.</summary>
    [MessagePackObject]
    public sealed record End([property: Key(0)] long Epoch) : IClusterMessage;

    /// <summary>
    /// An attempt at its owner. <paramref name="Report"/>: what it has reported, if it has. <paramref name="IsDecided"/>: it was told to commit, with
    /// <paramref name="Factor"/>. <paramref name="IsApplied"/>: it has; its weights' sums of squares are then <paramref name="Weights"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record HeldAttempt(
        [property: Key(0)] AttemptId Attempt,
        [property: Key(1)] Report? Report,
        [property: Key(2)] bool IsDecided,
        [property: Key(3)] double? Factor,
        [property: Key(4)] bool IsApplied,
        [property: Key(5)] ImmutableArray<ChunkNorm> Weights);

    /// <summary>
    /// Sums over one sequence's positions that count: cross-entropy, z-loss, how many they are; and its load-balance loss, a mean over layers.
    /// </summary>
    [MessagePackObject]
    public readonly record struct SlotLoss(
        [property: Key(0)] int Slot,
        [property: Key(1)] double CrossEntropy,
        [property: Key(2)] double ZLoss,
        [property: Key(3)] double LoadBalance,
        [property: Key(4)] long Tokens);

    /// <summary>
    /// Sum of squares of the gradient in one chunk: trunk piece c of all parameters in canonical order, or for c ≥ pieces the routed expert c - pieces over all layers.
    /// </summary>
    [MessagePackObject]
    public readonly record struct ChunkNorm([property: Key(0)] int Chunk, [property: Key(1)] double SumOfSquares);

    /// <summary>The held-out text: how many batches it is, 0 where none is held out, and bytes of text that a predicted token stands for.</summary>
    [MessagePackObject]
    public sealed record HeldOut([property: Key(0)] long Batches, [property: Key(1)] double BytesPerToken);

    /// <summary>A tensor with a value that is not finite, and its place in the canonical order.</summary>
    [MessagePackObject]
    public sealed record BadTensor([property: Key(0)] int Order, [property: Key(1)] string Name);
}

/// <summary>What a device's time is spent on.</summary>
public enum StepPhase : byte
{
    /// <summary>Layers but their routed experts, and the embedding; forward, again, and back.</summary>
    Trunk = 0,

    /// <summary>Routed experts, with sorting rows and placing answers.</summary>
    Experts = 1,

    /// <summary>Final norm, head and loss, and back.</summary>
    Head = 2,

    /// <summary>Sums of gradients, and norms.</summary>
    Sums = 3,

    /// <summary>The optimizer.</summary>
    Update = 4,

    /// <summary>Putting payloads together and taking them apart.</summary>
    Exchange = 5,

    /// <summary>Nothing to do until something arrives.</summary>
    Waiting = 6,
}
