using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>All that a finished session produced.</summary>
/// <param name="PromptTokens">The ids of the prompt; empty when the session was cancelled before it opened.</param>
/// <param name="Tokens">The generated ids.</param>
/// <param name="Text">Their text: of all tokens and <paramref name="TailText"/>.</param>
/// <param name="TailText">Text held back until the end was certain; no token of the stream carried it.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Timings">On the session's clock; zero when cancelled and not answered.</param>
/// <param name="Logits">The float32 rows that were asked for, by absolute position; a row chose the token one position later.</param>
public sealed record GenerationResult(
    ImmutableArray<int> PromptTokens,
    ImmutableArray<int> Tokens,
    string Text,
    string TailText,
    FinishReason Reason,
    SessionProtocol.Timings Timings,
    ImmutableSortedDictionary<int, float[]> Logits)
{
    /// <summary>One for each token when the request asked for them, else empty.</summary>
    public ImmutableArray<TokenLogProbs> LogProbs { get; init; } = [];
}
