using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>What a scheduler is to do, in the order given.</summary>
public abstract record SchedulerEffect
{
    private SchedulerEffect() { }

    /// <summary>
    /// Send this batch to stage 0. <paramref name="Freed"/> may repeat ids that were freed before: freeing is idempotent, and is repeated
    /// until a batch that carried it has been answered.
    /// </summary>
    public sealed record RunBatch(
        BatchId Batch,
        ImmutableArray<StageProtocol.BatchRows> Sequences,
        ImmutableArray<int> Ids,
        ImmutableArray<SequenceId> Freed) : SchedulerEffect
    {
        public StageProtocol.Run ToMessage(LaneTarget scheduler) => new(Batch, Sequences, Ids, Freed, scheduler);
    }

    /// <summary>Send a <see cref="SchedulerProtocol"/> answer to whoever submitted with that key.</summary>
    public sealed record Tell(string ReplyKey, IClusterMessage Message) : SchedulerEffect;

    /// <summary>
    /// Rows of the answer's payload that go to sessions; rows that are not named here belong to nobody any more. Comes before the tokens
    /// that the rows chose. An answer without this effect has a payload to dispose of.
    /// </summary>
    public sealed record RouteLogits(BatchId Batch, ImmutableArray<LogitsRow> Rows) : SchedulerEffect;

    /// <summary>Ask the devices of all stages whether they are at work; their answers go to <see cref="SchedulerState.AtWork"/>.</summary>
    public sealed record AskDevices : SchedulerEffect;

    /// <summary>Send <see cref="StageProtocol.Free"/> to stage 0: no batch is about to carry these.</summary>
    public sealed record Free(ImmutableArray<SequenceId> Sequences) : SchedulerEffect;
}

/// <summary>
/// Row <paramref name="PayloadRow"/> of a batch's logits payload: the row of input position <paramref name="Position"/>, so it chooses the
/// token at Position + 1.
/// </summary>
public sealed record LogitsRow(int PayloadRow, string ReplyKey, SessionId Session, long Attempt, int Position);
