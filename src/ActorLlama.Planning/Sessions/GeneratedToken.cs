using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>
/// A generated id and the text it completes. <paramref name="Tail"/>: text still held back after it, to be shown if the answer ends here.
/// <paramref name="Stops"/>: a stop string is complete, and the answer ends here.
/// </summary>
public sealed record GeneratedToken(int Id, string Text, string Tail, bool Stops)
{
    /// <summary>How likely it was, when that was asked for; null for tokens that a re-opened session was given.</summary>
    public TokenLogProbs? LogProbs { get; init; }
}
