using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>Which submissions can run at all.</summary>
public static class AdmissionRules
{
    /// <summary>Why so many tokens cannot be continued by that many in that context, or null.</summary>
    public static string? LengthFault(int tokens, int maxTokens, int maxPositions)
    {
        if (tokens >= maxPositions)
            return $"Prompt: {tokens} tokens do not fit the context of {maxPositions} tokens, which must have room for one more. Shorten the prompt.";
        return maxTokens < 1 ? $"Generation: the most tokens to generate is {maxTokens}; it must be at least 1." : null;
    }

    /// <summary>Why these tokens can never run here, or null.</summary>
    public static string? Fault(SchedulerProtocol.Submit submit, SchedulerOptions options)
    {
        var tokens = submit.Tokens.Length;
        if (submit.PromptLength < 1 || submit.PromptLength > tokens)
            return $"Prompt: length {submit.PromptLength} of {tokens} tokens; it must be between 1 and the number of tokens.";
        if (LengthFault(tokens, submit.MaxTokens, options.MaxPositions) is { } fault)
            return fault;
        if (tokens - submit.PromptLength >= submit.MaxTokens)
            return $"Generation: {tokens - submit.PromptLength} tokens exist already of at most {submit.MaxTokens}; nothing is left to do.";
        // The last token is sampled and never run.
        var positions = (int)Math.Max(1, Math.Min((long)submit.PromptLength + submit.MaxTokens, options.MaxPositions) - 1);
        var (needed, room) = (options.Kv.Most(positions, options.PrefillChunk), options.Kv.Blocks);
        var what = $"Generation: a prompt of {submit.PromptLength} tokens and {submit.MaxTokens} more need";
        if (needed.Whole > room.Whole)
            return $"{what} {needed.Whole} blocks of KV cache (of {KvRoom.BlockPositions} positions), but the pipeline has {room.Whole}. "
                + "Ask for fewer tokens, or raise actorllama.plan.kv-positions.";
        return needed.Chunked > room.Chunked
            ? $"{what} {needed.Chunked} blocks of KV cache for a chunk of context, but the pipeline has {room.Chunked}. Raise actorllama.plan.kv-sequences."
            : null;
    }

    /// <summary>When to ask again: grows with the number waiting for each place; 250 ms to 5 s.</summary>
    public static int RetryAfterMs(int waiting, int maxSequences) =>
        (int)Math.Min(5000, 250L * (1 + (waiting / Math.Max(1, maxSequences))));
}
