using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>What to generate.</summary>
/// <param name="Prompt">Exactly one of token ids, text to complete, or a dialog.</param>
/// <param name="MaxTokens">At most this many ids are generated.</param>
public sealed record GenerationRequest(Prompt Prompt, int MaxTokens)
{
    /// <summary>Null: the model's own defaults.</summary>
    public SamplingOptions? Sampling { get; init; }

    /// <summary>The text ends before the first of these.</summary>
    public ImmutableArray<string> StopStrings { get; init; } = [];

    /// <summary>Go on after the model's end tokens.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Which rows of logits to return with the result.</summary>
    public LogitsWanted Logits { get; init; }

    /// <summary>Whose turn it is when sessions wait for one another.</summary>
    public SessionPriority Priority { get; init; }

    /// <summary>
    /// The answer ends with what there is (<see cref="FinishReason.Expired"/>) this long after the start. Null: as late as the nodes'
    /// <c>actorllama.session.max-duration</c> allows.
    /// </summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Null, or how many of the likeliest ids to tell beside each token's own log-probability: 0 to 20.</summary>
    public int? LogProbs { get; init; }

    /// <summary>Texts hold special tokens in their spelling, as whoever looks for tool calls needs them.</summary>
    public bool ShowSpecial { get; init; }

    /// <summary>Which of several answers to one prompt this is: another number draws other tokens from the same seed.</summary>
    public int Choice { get; init; }

    /// <summary>
    /// The session fails when nothing is heard of it, or it cannot be opened, for this long. How long it may stand still while its cluster
    /// answers is the nodes' <c>actorllama.session.fail-after</c>.
    /// </summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromSeconds(13);

    /// <summary>
    /// How long to go on asking a cluster that is busy, before the session fails with <see cref="RefusalReason.Busy"/>; zero: it fails at once.
    /// </summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(13);

    /// <summary>The session fails when it is not finished after this long. Null: no bound.</summary>
    public TimeSpan? TotalTimeout { get; init; }

    public static Prompt Text(string text) => new(null, text, null);

    public static Prompt Tokens(IEnumerable<int> ids) => new([.. ids], null, null);

    /// <param name="turns">The dialog so far.</param>
    /// <param name="tools">What the model may call; open such a session with <see cref="ShowSpecial"/>.</param>
    public static Prompt Dialog(IEnumerable<ChatTurn> turns, IEnumerable<ChatTool>? tools = null) => new(null, null, [.. turns], tools is null ? null : [.. tools]);
}
