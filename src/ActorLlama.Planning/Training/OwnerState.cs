using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// One owner of trained state: the parts that the plan gives to a device. Begins with <see cref="New"/>; changed by <see cref="OwnerRules"/> only.
/// Blank → Loading → Idle ⇄ an attempt: Open → Computing → Summed → Measured (reported) → Decided → Applied → Idle in the next state. At most one snapshot beside.
/// </summary>
public sealed record OwnerState
{
    /// <param name="device">Whose parts.</param>
    /// <param name="trunkSegments">Segments of the trunk: its layers and two.</param>
    /// <param name="moeLayers">Layers with routed experts.</param>
    public static OwnerState New(DeviceId device, int trunkSegments, int moeLayers) => new() { Device = device, TrunkSegments = trunkSegments, MoeLayers = moeLayers };

    private OwnerState()
    {
    }

    public DeviceId Device { get; private init; }

    /// <summary>The highest epoch of a coordinator that was heard; nothing lower is obeyed.</summary>
    public long Epoch { get; internal init; }

    /// <summary>Who asked in that epoch; null: nobody.</summary>
    internal string? Coordinator { get; init; }

    public TrainingPlan? Plan { get; internal init; }

    /// <summary>What the parts are in; null while there are none, or they are being loaded.</summary>
    public StateId? State { get; internal init; }

    internal int TrunkSegments { get; private init; }

    internal int MoeLayers { get; private init; }

    /// <summary>What is being loaded.</summary>
    internal StateId? Loading { get; init; }

    internal OwnerAttempt? Attempt { get; init; }

    internal OwnerSnapshot? Snapshot { get; init; }

    /// <summary>The last attempt that was heard of: whatever is not after it is over, unless it is <see cref="Attempt"/>.</summary>
    internal AttemptId? LastAttempt { get; init; }

    /// <summary>The last save that was heard of.</summary>
    internal TrainingSaveId? LastSave { get; init; }

    /// <summary>A checkpoint that is known to hold the same as the parts did or do, and after how many steps.</summary>
    internal (string Origin, long StepsDone)? Same { get; init; }

    /// <summary>
    /// Numbers of the parts that each slot sends a gradient for: trunk segments s as s, when the device owns pieces; then for its expert shards h and MoE layers m
    /// <see cref="ExpertPart"/>.
    /// </summary>
    public IEnumerable<int> GradientParts => Plan is not { } plan ? [] :
    [
        .. plan.PiecesOf(Device).Any() ? Enumerable.Range(0, TrunkSegments) : [],
        .. plan.ExpertShardsOf(Device).SelectMany(shard => Enumerable.Range(0, MoeLayers).Select(moe => ExpertPart(shard, moe))),
    ];

    /// <summary>The part number of an expert shard in the m-th MoE layer.</summary>
    public int ExpertPart(int shard, int moeLayer) => TrunkSegments + (shard * MoeLayers) + moeLayer;
}

/// <summary>An attempt as an owner sees it.</summary>
/// <param name="Id">Which.</param>
/// <param name="Ledger">The gradients that have come.</param>
internal sealed record OwnerAttempt(AttemptId Id, GradientLedger Ledger)
{
    /// <summary>The coordinator has begun it; else only a peer's call was heard.</summary>
    public bool IsBegun { get; init; }

    /// <summary>The batch of the held-out text that it is for; null: it is for a step.</summary>
    public long? Batch { get; init; }

    public TrainingProtocol.HeldOut? HeldOut { get; init; }

    public ImmutableArray<TrainingProtocol.SlotLoss>? Losses { get; init; }

    public ImmutableArray<long> ExpertRows { get; init; } = [];

    public ImmutableArray<long> Micros { get; init; } = [];

    public ImmutableArray<TrainingProtocol.ChunkNorm> Weights { get; init; } = [];

    public bool IsMeasuring { get; init; }

    public TrainingProtocol.Report? Report { get; init; }

    public string? Fault { get; init; }

    public bool IsDecided { get; init; }

    public double? Factor { get; init; }

    public bool IsApplied { get; init; }

    /// <summary>The update is being made: the parts are in no state until it is.</summary>
    public bool IsApplying => IsDecided && !IsApplied;

    public TrainingProtocol.HeldAttempt Held => new(Id, Report, IsDecided, Factor, IsApplied, Weights);
}

/// <summary>A copy that is being written, then has been.</summary>
internal sealed record OwnerSnapshot(TrainingSaveId Save, StateId State)
{
    public ImmutableArray<SaveProtocol.File>? Files { get; init; }

    public string? Fault { get; init; }
}
