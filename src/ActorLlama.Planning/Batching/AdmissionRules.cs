using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>Which submissions can run at all, and how many KV positions they are given.</summary>
public static class AdmissionRules
{
    /// <summary>KV is held in blocks of this many positions.</summary>
    public const int BlockPositions = 64;

    /// <summary>
    /// Positions reserved for a sequence: all that it can ever write, in whole blocks. (The last token is sampled but never run.) As no
    /// sequence takes more than its reservation, nothing has to be taken from a running one.
    /// </summary>
    public static long KvPositions(int promptLength, int maxTokens, int maxPositions)
    {
        var run = Math.Max(1, Math.Min((long)promptLength + maxTokens, maxPositions) - 1);
        return (run + BlockPositions - 1) / BlockPositions * BlockPositions;
    }

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
        var needed = KvPositions(submit.PromptLength, submit.MaxTokens, options.MaxPositions);
        return needed > options.KvPositionsBudget
            ? $"Generation: a prompt of {submit.PromptLength} tokens and {submit.MaxTokens} more need {needed} positions of KV cache, "
                + $"but the pipeline has {options.KvPositionsBudget}. Ask for fewer tokens, or give the pipeline more memory."
            : null;
    }

    /// <summary>When to ask again: grows with the number waiting for each place; 250 ms to 5 s.</summary>
    public static int RetryAfterMs(int waiting, int maxSequences) =>
        (int)Math.Min(5000, 250L * (1 + (waiting / Math.Max(1, maxSequences))));
}
