using System.Collections.Immutable;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>Which rows make the next batch, and the KV blocks for them.</summary>
internal sealed class BatchPicker(SchedulerOptions options, SequenceQueue queue, KvBook kv, Func<SequenceId> nextSequence)
{
    /// <summary>
    /// Decoding sequences first, one row each, those that ran longest ago before the others; shared out evenly over the batches that may be in
    /// flight, so that these overlap. Then prompts, by rank. While anybody decodes, rows of prompts in flight are never more than one chunk: that
    /// much, and no more, may delay a decoding sequence. While nobody does, a prompt may have the whole batch: the more rows, the more of them share an expert's weights.
    /// </summary>
    /// <param name="number">The batch's number.</param>
    /// <param name="inFlight">Batches in flight.</param>
    /// <param name="promptRowsInFlight">Rows of prompts in them.</param>
    /// <param name="mostInFlight">How many may be in flight at once.</param>
    public ImmutableArray<BatchPart> Pick(long number, int inFlight, int promptRowsInFlight, int mostInFlight)
    {
        if (queue.Admitted.Any(s => s.IsSuspect) && PickSuspect(number, inFlight) is var alone && (!alone.IsEmpty || inFlight > 0))
            return alone;
        var parts = ImmutableArray.CreateBuilder<BatchPart>();
        var left = options.TokenBudget;
        var decoding = queue.Admitted.Where(s => s.IsDecoding && !s.IsSuspect && s.Phase != SequencePhase.Leaving).ToList();
        var share = Math.Min(left, (decoding.Count + mostInFlight - 1) / mostInFlight);
        foreach (var sequence in decoding.Where(s => s.Phase == SequencePhase.Ready).OrderBy(s => s.LastBatch).ThenBy(s => s.Rank).ToList())
            if (parts.Count < share && Take(sequence, 1) > 0)
                parts.Add(Run(sequence, 1, isPrompt: false, number));

        left -= parts.Count;
        if (decoding.Count > 0)
            left = Math.Min(left, options.PrefillChunk - promptRowsInFlight);
        foreach (var sequence in queue.Admitted.Where(s => s.Phase == SequencePhase.Ready && !s.IsDecoding && !s.IsSuspect).ToList())
        {
            if (left <= 0)
                break;
            var count = Take(sequence, left);
            if (count == 0)
                continue;
            parts.Add(Run(sequence, count, isPrompt: true, number));
            left -= count;
        }

        return parts.DrainToImmutable();
    }

    /// <summary>
    /// The first suspect alone, once nothing else is in flight: whatever dies with it then died of it. The others wait so long; where none has room, they go on.
    /// </summary>
    private ImmutableArray<BatchPart> PickSuspect(long number, int inFlight)
    {
        if (inFlight > 0)
            return [];
        foreach (var suspect in queue.Admitted.Where(s => s.IsSuspect && s.Phase == SequencePhase.Ready).ToList())
            if (Take(suspect, Math.Min(options.TokenBudget, options.PrefillChunk)) is > 0 and var count)
                return [Run(suspect, count, isPrompt: !suspect.IsDecoding, number)];
        return [];
    }

    private static BatchPart Run(ScheduledSequence sequence, int count, bool isPrompt, long number)
    {
        sequence.Phase = SequencePhase.InFlight;
        sequence.LastBatch = number;
        return new(sequence, sequence.Rows(count), isPrompt);
    }

    /// <summary>Blocks for the sequence's next rows, if need be from those after it in rank. Returns for how many rows there are; 0: it waits.</summary>
    private int Take(ScheduledSequence sequence, int most)
    {
        while (sequence.Phase == SequencePhase.Ready)
        {
            sequence.Kv ??= kv.TryBegin(nextSequence(), sequence.Tokens, sequence.Chain, sequence.MostShared);
            if (sequence.Kv is { } pinned && kv.IsHeldBack(pinned))
                return 0;
            if (sequence.Kv is { } begun && kv.Grow(begun, Math.Min(most, sequence.Pending)) is > 0 and var count)
                return count;
            if (!queue.TryPreemptFor(sequence))
                return 0;
        }

        return 0;
    }
}
