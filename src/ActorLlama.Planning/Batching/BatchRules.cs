using System.Collections.Immutable;

namespace ActorLlama.Planning.Batching;

/// <summary>Which rows make the next batch.</summary>
internal static class BatchRules
{
    /// <summary>
    /// Decoding sequences first, one row each, those that ran longest ago before the others; then chunks of prompts, by rank.
    /// Decoding sequences are shared out evenly over the batches that may be in flight, so that these overlap.
    /// </summary>
    public static ImmutableArray<BatchPart> Pick(IReadOnlyList<ScheduledSequence> admitted, SchedulerOptions options)
    {
        var decoding = new List<ScheduledSequence>();
        var prefilling = new List<ScheduledSequence>();
        var sharers = 0;
        foreach (var sequence in admitted)
        {
            if (sequence.Pending == 1 && sequence.Phase != SequencePhase.Leaving)
                sharers++;
            if (sequence.Phase == SequencePhase.Ready)
                (sequence.Pending == 1 ? decoding : prefilling).Add(sequence);
        }

        var parts = ImmutableArray.CreateBuilder<BatchPart>();
        var left = options.TokenBudget;
        var share = Math.Min(left, (sharers + options.MaxBatchesInFlight - 1) / options.MaxBatchesInFlight);
        foreach (var sequence in decoding.OrderBy(s => s.LastBatch).ThenBy(s => s.Rank).Take(share))
        {
            parts.Add(new(sequence, sequence.Rows(1)));
            left--;
        }

        foreach (var sequence in prefilling)
        {
            if (left == 0)
                break;
            var count = Math.Min(Math.Min(sequence.Pending, options.PrefillChunk), left);
            parts.Add(new(sequence, sequence.Rows(count)));
            left -= count;
        }

        return parts.DrainToImmutable();
    }
}
