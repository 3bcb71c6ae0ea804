using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>
/// What a client holds of a session: its epoch and every token that arrived in order. Drops duplicates and other epochs, so a token is
/// taken once whatever is sent again.
/// </summary>
internal sealed record TokenLedger(long Epoch, ImmutableList<int> Ids, ImmutableList<string> Texts, ImmutableList<TokenLogProbs> LogProbs)
{
    public static TokenLedger Empty { get; } = new(1, [], [], []);

    /// <summary>The index that is wanted next; everything below it is held.</summary>
    public int Next => Ids.Count;

    public string Text => string.Concat(Texts);

    /// <summary>
    /// Takes what follows on what is held, at most <paramref name="room"/> tokens. <c>Gap</c>: the message starts beyond
    /// <see cref="Next"/>, so something was lost. Throws <see cref="InvalidDataException"/> when ids, texts and log-probabilities differ in
    /// number (the last only when <paramref name="withLogProbs"/>), or when an id differs from the one held at its index.
    /// </summary>
    public (TokenLedger Ledger, ImmutableArray<GeneratedToken> Taken, bool Gap) Take(SessionProtocol.Tokens tokens, int room, bool withLogProbs = false)
    {
        if (tokens.Epoch != Epoch) return (this, [], false);
        if (tokens.Ids.Length != tokens.Texts.Length)
            throw new InvalidDataException($"Session: {tokens.Ids.Length} ids came with {tokens.Texts.Length} texts.");
        if (withLogProbs && (tokens.LogProbs?.Length ?? 0) != tokens.Ids.Length)
            throw new InvalidDataException($"Session: {tokens.Ids.Length} ids came with log-probabilities for {tokens.LogProbs?.Length ?? 0}.");
        if (tokens.FirstIndex > Next) return (this, [], true);
        for (var index = tokens.FirstIndex; index < Math.Min(Next, tokens.FirstIndex + tokens.Ids.Length); index++)
            if (tokens.Ids[index - tokens.FirstIndex] != Ids[index])
                throw new InvalidDataException(
                    $"Session: token {index} came as {tokens.Ids[index - tokens.FirstIndex]} after it had come as {Ids[index]}.");
        var end = Math.Min(tokens.FirstIndex + tokens.Ids.Length, Next + room);
        var taken = Enumerable.Range(Next, Math.Max(0, end - Next))
            .Select(i => new GeneratedToken(i, tokens.Ids[i - tokens.FirstIndex], tokens.Texts[i - tokens.FirstIndex], withLogProbs ? tokens.LogProbs!.Value[i - tokens.FirstIndex] : null))
            .ToImmutableArray();
        var ledger = this with
        {
            Ids = Ids.AddRange(taken.Select(t => t.Id)),
            Texts = Texts.AddRange(taken.Select(t => t.Text)),
            LogProbs = LogProbs.AddRange(taken.Select(t => t.LogProbs).OfType<TokenLogProbs>()),
        };
        return (ledger, taken, false);
    }

    /// <summary>The same tokens in the next incarnation of the session.</summary>
    public TokenLedger Reopened() => this with { Epoch = Epoch + 1 };
}
