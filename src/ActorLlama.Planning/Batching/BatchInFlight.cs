using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>A batch that the pipeline has and has not answered. A retry is the same rows under the next attempt.</summary>
internal sealed record BatchInFlight(
    BatchId Id,
    ImmutableArray<BatchPart> Parts,
    ImmutableArray<int> TokenIds,
    ImmutableArray<SequenceId> Freed,
    long DeadlineMs)
{
    public int Sampling => Parts.Count(p => p.Rows.Sampling is not null);

    public int LogProbs => Parts.Count(p => p.Rows.LogProbs is not null);

    public SchedulerEffect.RunBatch ToEffect() => new(Id, [.. Parts.Select(p => p.Rows)], TokenIds, Freed);
}

internal readonly record struct BatchPart(ScheduledSequence Sequence, StageProtocol.BatchRows Rows);
