using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>A batch that the pipeline has and has not answered. A retry is the same rows under the next attempt.</summary>
internal sealed record BatchInFlight(
    BatchId Id,
    ImmutableArray<BatchPart> Parts,
    ImmutableArray<int> TokenIds,
    ImmutableArray<SequenceId> Freed,
    long FirstSentMs)
{
    /// <summary>When this attempt was sent, or the pipeline was last known to be at work on it.</summary>
    public long SignMs { get; set; } = FirstSentMs;

    /// <summary>When the stages' devices were last asked; they are asked while nothing is heard.</summary>
    public long AskedMs { get; set; } = FirstSentMs;

    /// <summary>A batch sent after this attempt has been answered: that the devices are at work says no more of this one.</summary>
    public bool IsOvertaken { get; set; }

    /// <summary>When this attempt is to be sent: it failed before, and rests. Null: it has been sent.</summary>
    public long? DueMs { get; init; }

    public int Sampling => Parts.Count(p => p.Rows.Sampling is not null);

    public int LogProbs => Parts.Count(p => p.Rows.LogProbs is not null);

    public int PromptRows => Parts.Sum(p => p.IsPrompt ? p.Rows.Count : 0);

    public SchedulerEffect.RunBatch ToEffect() => new(Id, [.. Parts.Select(p => p.Rows)], TokenIds, Freed);

    /// <summary>Rows of its logits payload and whose they are, but for those that nobody wants any more.</summary>
    public ImmutableArray<LogitsRow> LogitsRows()
    {
        var rows = ImmutableArray.CreateBuilder<LogitsRow>();
        var payloadRow = 0;
        foreach (var (sequence, part, _) in Parts)
        {
            for (var i = part.Count - part.Logits; i < part.Count; i++, payloadRow++)
                if (sequence.Phase != SequencePhase.Leaving)
                    rows.Add(new(payloadRow, sequence.ReplyKey, sequence.Submit.Session, sequence.Submit.Attempt, part.Start + i));
        }

        return rows.DrainToImmutable();
    }
}

/// <summary>Rows of one sequence in a batch. <paramref name="IsPrompt"/>: a chunk of tokens that are known already.</summary>
internal readonly record struct BatchPart(ScheduledSequence Sequence, StageProtocol.BatchRows Rows, bool IsPrompt);
