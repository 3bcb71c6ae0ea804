using ActorLlama.Planning.Kv;

namespace ActorLlama.Planning.Batching;

/// <summary>Bounds of one pipeline's scheduler. Times are milliseconds, sizes are tokens or positions.</summary>
public sealed record SchedulerOptions
{
    /// <summary>Sequences that hold KV at once.</summary>
    public int MaxSequences { get; init; } = 32;

    /// <summary>Sequences that wait to be let in; more are told busy.</summary>
    public int MaxWaiting { get; init; } = 64;

    /// <summary>Rows of one batch at most. Not below <see cref="MaxSequences"/>, so that decoding never starves a prompt.</summary>
    public int TokenBudget { get; init; } = 512;

    /// <summary>Rows of prompts in the batches in flight at most, while any sequence decodes: what a long prompt may delay the others by.</summary>
    public int PrefillChunk { get; init; } = 128;

    /// <summary>Batches that are in the pipeline at once; decoding sequences are spread evenly over them.</summary>
    public int MaxBatchesInFlight { get; init; } = 1;

    /// <summary>How long nothing may be heard of a batch, nor of the devices that have it, before it is sent again.</summary>
    public int BatchDeadlineMs { get; init; } = 4000;

    /// <summary>How long a batch may take at all, with all its attempts.</summary>
    public int BatchLimitMs { get; init; } = 300_000;

    /// <summary>How often a batch is sent before its sequences are refused: again at once after the first failure, later after <see cref="RetryMs"/>.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>About how long a batch that failed twice rests before it is sent again; doubled with each failure more, up to <see cref="RetryMaxMs"/>, and drawn from the upper half of that.</summary>
    public int RetryMs { get; init; } = 200;

    /// <summary>How long a batch rests at most.</summary>
    public int RetryMaxMs { get; init; } = 2000;

    /// <summary>A session that has not renewed its sequence for so long is dropped.</summary>
    public int RenewalMs { get; init; } = 10_000;

    /// <summary>How much earlier than it came a session of high priority counts as come, and how much later one of low priority.</summary>
    public int PriorityStepMs { get; init; } = 10_000;

    /// <summary>KV blocks that all sequences together may hold.</summary>
    public KvRoom Kv { get; init; } = KvRoom.Unbounded;

    /// <summary>
    /// Sequences that begin alike hold the blocks of what they have in common once, and those of finished ones stay until the room is needed.
    /// </summary>
    public bool SharesPrefixes { get; init; } = true;

    /// <summary>Tokens of the model's context: prompt and answer of one sequence.</summary>
    public int MaxPositions { get; init; } = int.MaxValue;

    /// <summary>All faults, one sentence each; empty when the options can be used.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, long Value)[] positive =
        [
            (nameof(MaxSequences), MaxSequences), (nameof(TokenBudget), TokenBudget), (nameof(PrefillChunk), PrefillChunk),
            (nameof(MaxBatchesInFlight), MaxBatchesInFlight), (nameof(BatchDeadlineMs), BatchDeadlineMs), (nameof(BatchLimitMs), BatchLimitMs),
            (nameof(MaxAttempts), MaxAttempts), (nameof(RetryMs), RetryMs), (nameof(RetryMaxMs), RetryMaxMs), (nameof(RenewalMs), RenewalMs), (nameof(PriorityStepMs), PriorityStepMs),
            (nameof(MaxPositions), MaxPositions),
        ];
        foreach (var (name, value) in positive)
            if (value < 1)
                yield return $"Scheduler: {name} is {value}; it must be at least 1.";
        if (MaxWaiting < 0)
            yield return $"Scheduler: {nameof(MaxWaiting)} is {MaxWaiting}; it must not be negative.";
        if (TokenBudget < MaxSequences)
            yield return $"Scheduler: {nameof(TokenBudget)} {TokenBudget} is below {nameof(MaxSequences)} {MaxSequences}; "
                + "a prompt would starve behind decoding sequences. Raise the budget.";
    }
}
