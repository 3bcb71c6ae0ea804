using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// On the lane, during an attempt: trunk weights to who computes, gradients to who owns, rows to the experts and back. Every call names its attempt and, where weights are
/// read, their state; an owner that is in another one refuses, the attempt fails, and nothing is sent again within it.
/// </summary>
public static class ExchangeProtocol
{
    /// <summary>
    /// All-gather, one owner's part: send what you own of the parameters of a segment. Answered by <see cref="Gathered"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Gather([property: Key(0)] ExchangeId Id, [property: Key(1)] StateId State) : ILaneMessage;

    /// <summary>Payload: the owner's ranges of the segment's parameters, in canonical order, in the compute type.</summary>
    [MessagePackObject]
    public sealed record Gathered([property: Key(0)] ExchangeId Id) : ILaneMessage;

    /// <summary>
    /// Reduce-scatter, one owner's part: add this slot's gradient of what you own of a segment; payload as of <see cref="Gathered"/>, float32. Slots are added in ascending
    /// order, whatever they come in. Answered by <see cref="Scattered"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Scatter([property: Key(0)] ExchangeId Id) : ILaneMessage;

    /// <summary>The gradient is the owner's; it may not have been added yet.</summary>
    [MessagePackObject]
    public sealed record Scattered([property: Key(0)] ExchangeId Id) : ILaneMessage;

    /// <summary>
    /// Run expert Experts[i] over row i of the payload [rows, D], positions of one slot, ascending. Answered by <see cref="Combine"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Dispatch(
        [property: Key(0)] ExchangeId Id, [property: Key(1)] StateId State, [property: Key(2)] ImmutableArray<int> Experts) : ILaneMessage;

    /// <summary>The rows' results, in the order they came; payload [rows, D].</summary>
    [MessagePackObject]
    public sealed record Combine([property: Key(0)] ExchangeId Id) : ILaneMessage;

    /// <summary>
    /// Backward through what <see cref="Dispatch"/> ran: payload [2·rows, D], the rows and the gradient of their results. Sent by every slot for every MoE layer to every shard,
    /// with no rows where it has none there: so a shard knows when its gradients are complete. Answered by <see cref="CombineGradient"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record DispatchGradient(
        [property: Key(0)] ExchangeId Id, [property: Key(1)] StateId State, [property: Key(2)] ImmutableArray<int> Experts) : ILaneMessage;

    /// <summary>The gradient of the rows, in the order they came; payload [rows, D].</summary>
    [MessagePackObject]
    public sealed record CombineGradient([property: Key(0)] ExchangeId Id) : ILaneMessage;

    [MessagePackObject]
    public sealed record Refused(
        [property: Key(0)] ExchangeId Id, [property: Key(1)] ExchangeRefusal Reason, [property: Key(2)] string Message) : ILaneMessage;
}

/// <summary>
/// One call of an attempt. <paramref name="Segment"/>: embedding 0, layer l as l + 1, the last what follows the layers. <paramref name="Target"/>: the device's index in the
/// plan or, in <see cref="ExchangePass.ExpertForward"/> and <see cref="ExchangePass.ExpertBackward"/>, the expert shard.
/// </summary>
[MessagePackObject]
public readonly record struct ExchangeId(
    [property: Key(0)] AttemptId Attempt,
    [property: Key(1)] int Slot,
    [property: Key(2)] int Segment,
    [property: Key(3)] int Target,
    [property: Key(4)] ExchangePass Pass);

/// <summary>What a call is part of.</summary>
public enum ExchangePass : byte
{
    /// <summary>Weights, on the way forward.</summary>
    Forward = 0,

    /// <summary>Weights, on the way back, where the segment is computed again.</summary>
    Recompute = 1,

    /// <summary>Gradients of weights.</summary>
    Backward = 2,
    ExpertForward = 3,
    ExpertBackward = 4,
}

/// <summary>Why a call is refused.</summary>
public enum ExchangeRefusal : byte
{
    /// <summary>A later attempt, plan or coordinator exists.</summary>
    Stale = 0,

    /// <summary>The owner's weights are of another checkpoint or step.</summary>
    OtherState = 1,

    /// <summary>The owner holds no state.</summary>
    NoState = 2,

    /// <summary>This slot's gradient of this segment has come before, or is none that the owner waits for.</summary>
    Unexpected = 3,

    /// <summary>The message names the fault.</summary>
    Failed = 4,
}
