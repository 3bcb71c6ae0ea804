using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>
/// What a session is to generate, in ids. <paramref name="StopIds"/> is empty when the end of text is to be ignored;
/// <paramref name="MaxPositions"/> is the model's context, prompt and answer together.
/// </summary>
public sealed record SessionRequest(
    SessionId Session,
    long Epoch,
    ImmutableArray<int> PromptTokens,
    int MaxTokens,
    ImmutableArray<int> StopIds,
    SamplingOptions Sampling,
    LogitsWanted Logits,
    int MaxPositions)
{
    public SessionPriority Priority { get; init; }

    /// <summary>The answer ends with what there is after this long; 0: the options' bound alone holds.</summary>
    public int DeadlineMs { get; init; }

    /// <summary>Which of several answers to one prompt this is.</summary>
    public int Choice { get; init; }

    /// <summary>Null, or how many of the likeliest ids to tell beside each token's own log-probability.</summary>
    public int? LogProbs { get; init; }

    /// <summary>The node that ran it before died, and no token has come since.</summary>
    public bool IsSuspect { get; init; }

    /// <summary>Why this can never run, or null: to be refused as invalid before a session exists.</summary>
    public string? Fault(int generatedSoFar, SessionOptions options)
    {
        if (MaxTokens > options.MaxTokens)
            return $"Generation: {MaxTokens} tokens were asked for, but a session may have {options.MaxTokens}. Ask for fewer, or raise actorllama.session.max-tokens.";
        if (DeadlineMs < 0)
            return $"Generation: its deadline is {DeadlineMs} ms; it must not be negative.";
        if (PromptTokens.Length == 0)
            return "Prompt: it is empty; it must hold at least one token.";
        if (AdmissionRules.LengthFault(PromptTokens.Length, MaxTokens, MaxPositions) is { } fault)
            return fault;
        return generatedSoFar > MaxTokens
            ? $"Generation: {generatedSoFar} tokens exist already, more than the {MaxTokens} asked for. Open with the same limits as before."
            : null;
    }

    /// <summary>Whether generation ends with this id as the <paramref name="generated"/>th, by ids and lengths alone.</summary>
    public bool EndsWith(int id, int generated) =>
        StopIds.Contains(id) || generated >= MaxTokens || PromptTokens.Length + (long)generated >= MaxPositions;
}
