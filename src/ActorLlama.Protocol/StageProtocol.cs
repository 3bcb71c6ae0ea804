using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>On the lane: a batch going through the stages of a pipeline, and back to its scheduler.</summary>
public static class StageProtocol
{
    /// <summary>
    /// Run these rows, of the tokens <paramref name="Ids"/>, through the stage's layers. Stage 0 embeds the ids; later stages get the
    /// activations as payload [rows, D]. The last stage answers the scheduler with <see cref="Ran"/>; any stage may answer <see cref="Failed"/>.
    /// <paramref name="TraceParent"/>: the batch's span, as W3C Trace Context writes it; null: it is not sampled.
    /// </summary>
    [MessagePackObject]
    public sealed record Run(
        [property: Key(0)] BatchId Batch,
        [property: Key(1)] ImmutableArray<BatchRows> Sequences,
        [property: Key(2)] ImmutableArray<int> Ids,
        [property: Key(3)] ImmutableArray<SequenceId> Freed,
        [property: Key(4)] LaneTarget Scheduler,
        [property: Key(5)] string? TraceParent = null) : ILaneMessage;

    /// <summary>
    /// Sampled ids, in the order of the batch's sequences that wanted one, and the log-probabilities of those that wanted these (null when
    /// none did), in the same order; payload: the logits rows asked for [n, V] float32, in batch order.
    /// </summary>
    [MessagePackObject]
    public sealed record Ran(
        [property: Key(0)] BatchId Batch,
        [property: Key(1)] ImmutableArray<int> Ids,
        [property: Key(2)] ImmutableArray<TokenLogProbs>? LogProbs = null) : ILaneMessage;

    /// <summary>The batch is lost at a stage; the scheduler alone decides what happens next.</summary>
    [MessagePackObject]
    public sealed record Failed(
        [property: Key(0)] BatchId Batch, [property: Key(1)] RefusalReason Reason, [property: Key(2)] string Message) : ILaneMessage;

    /// <summary>
    /// From a stage, every now and then: it has the batch, and goes on with it or waits for experts that are at work. The scheduler's deadline
    /// begins anew.
    /// </summary>
    [MessagePackObject]
    public sealed record Progress([property: Key(0)] BatchId Batch) : ILaneMessage;

    /// <summary>Drop the KV of these sequences; passed on down the pipeline, behind the batches sent before it.</summary>
    [MessagePackObject]
    public sealed record Free([property: Key(0)] ImmutableArray<SequenceId> Sequences) : ILaneMessage;

    /// <summary>
    /// Rows [Start, Start + Count) of a sequence. <paramref name="Sampling"/>: sample the id after the last row; null: do not.
    /// <paramref name="Logits"/>: how many of the last rows to return logits for. Choice and LogProbs as in
    /// <see cref="SchedulerProtocol.Submit"/>; only with sampling. <paramref name="PrefixOf"/>: the sequence begins here, with the KV of the
    /// first Start positions of that one, which it shares; null: it begins with nothing, or has begun before.
    /// </summary>
    [MessagePackObject]
    public sealed record BatchRows(
        [property: Key(0)] SequenceId Sequence,
        [property: Key(1)] int Start,
        [property: Key(2)] int Count,
        [property: Key(3)] SamplingOptions? Sampling,
        [property: Key(4)] int Logits,
        [property: Key(5)] int Choice = 0,
        [property: Key(6)] int? LogProbs = null,
        [property: Key(7)] SequenceId? PrefixOf = null);
}
