using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// What a client asks of a session, and what it hears of it. Tokens carry (session epoch, index); the client acknowledges cumulatively
/// and drops duplicates, the session resends what is not acknowledged.
/// </summary>
public static class SessionProtocol
{
    /// <summary>
    /// Start a session, or re-open it elsewhere after its node died: then with a higher epoch and all ids generated so far. Answered by
    /// <see cref="Opened"/> or <see cref="Refused"/>, then <see cref="Tokens"/> and one <see cref="Finished"/>. A repeated Open of a
    /// running epoch only attaches the sender. <paramref name="Choice"/>: which of several answers to one prompt this is: it draws other
    /// numbers from the same seed. <paramref name="LogProbs"/>: null, or how many of the likeliest ids to tell beside each token's own.
    /// <paramref name="ShowSpecial"/>: texts hold special tokens in their spelling, as whoever looks for tool calls needs them.
    /// <paramref name="IsSuspect"/>: the session's node died, and no token came since: it may have been this session's doing.
    /// </summary>
    [MessagePackObject]
    public sealed record Open(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] Prompt Prompt,
        [property: Key(3)] SamplingOptions? Sampling,
        [property: Key(4)] GenerationLimits Limits,
        [property: Key(5)] ImmutableArray<int> GeneratedSoFar,
        [property: Key(6)] LogitsWanted Logits,
        [property: Key(7)] int Choice = 0,
        [property: Key(8)] int? LogProbs = null,
        [property: Key(9)] bool ShowSpecial = false,
        [property: Key(10)] bool IsSuspect = false) : IClusterMessage;

    /// <summary>The session runs; these are the ids of its prompt.</summary>
    [MessagePackObject]
    public sealed record Opened(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] ImmutableArray<int> PromptTokens) : IClusterMessage;

    /// <summary>The session cannot be opened, or is not known here. <paramref name="RetryAfterMs"/>: hint when busy, else 0.</summary>
    [MessagePackObject]
    public sealed record Refused(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] RefusalReason Reason,
        [property: Key(3)] string Message,
        [property: Key(4)] int RetryAfterMs) : IClusterMessage;

    /// <summary>
    /// Generated ids from index <paramref name="FirstIndex"/> on, with the text each completes ("" inside a character), and its
    /// log-probabilities when these were asked for, else null.
    /// </summary>
    [MessagePackObject]
    public sealed record Tokens(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] int FirstIndex,
        [property: Key(3)] ImmutableArray<int> Ids,
        [property: Key(4)] ImmutableArray<string> Texts,
        [property: Key(5)] ImmutableArray<TokenLogProbs>? LogProbs = null) : IClusterMessage;

    /// <summary>Everything below <paramref name="NextIndex"/> has arrived. Also said again every second: silence means the client is gone.</summary>
    [MessagePackObject]
    public sealed record Acknowledge(
        [property: Key(0)] SessionId Session, [property: Key(1)] long Epoch, [property: Key(2)] int NextIndex) : IClusterMessage;

    /// <summary>Send to me from now on, from index <paramref name="NextIndex"/>. Answered by tokens (none when there are none yet), or by <see cref="Refused"/> when unknown.</summary>
    [MessagePackObject]
    public sealed record Resume(
        [property: Key(0)] SessionId Session, [property: Key(1)] long Epoch, [property: Key(2)] int NextIndex) : IClusterMessage;

    /// <summary>Stop generating and free everything. Answered by <see cref="Finished"/>.</summary>
    [MessagePackObject]
    public sealed record Cancel([property: Key(0)] SessionId Session, [property: Key(1)] long Epoch) : IClusterMessage;

    /// <summary>
    /// From the node that a client was connected to: that connection has ended. Not answered. <paramref name="Client"/> is what the session
    /// knows the client by.
    /// </summary>
    [MessagePackObject]
    public sealed record ClientLost([property: Key(0)] SessionId Session, [property: Key(1)] string Client) : IClusterMessage;

    /// <summary>The end: <paramref name="Count"/> ids were generated. <paramref name="TailText"/> is text held back until the end was certain.</summary>
    [MessagePackObject]
    public sealed record Finished(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] int Count,
        [property: Key(3)] FinishReason Reason,
        [property: Key(4)] string TailText,
        [property: Key(5)] string? Error,
        [property: Key(6)] Timings Timings) : IClusterMessage;

    /// <summary>
    /// Part of the float32 logits of position <paramref name="Position"/>, little-endian, from value <paramref name="FirstValue"/> of
    /// <paramref name="Values"/>. Sent before the token that the row chose.
    /// </summary>
    [MessagePackObject]
    public sealed record LogitsPart(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Epoch,
        [property: Key(2)] int Position,
        [property: Key(3)] int FirstValue,
        [property: Key(4)] int Values,
        [property: Key(5)] ReadOnlyMemory<byte> Bytes) : IClusterMessage;

    /// <summary><paramref name="DeadlineMs"/>: the answer ends with what there is this long after the session opened; 0: as late as the nodes allow.</summary>
    [MessagePackObject]
    public sealed record GenerationLimits(
        [property: Key(0)] int MaxTokens,
        [property: Key(1)] ImmutableArray<string> StopStrings,
        [property: Key(2)] bool IgnoreEos,
        [property: Key(3)] SessionPriority Priority = SessionPriority.Normal,
        [property: Key(4)] int DeadlineMs = 0);

    /// <summary>Milliseconds on the session's clock: until the first token, and in all.</summary>
    [MessagePackObject]
    public sealed record Timings([property: Key(0)] double FirstTokenMs, [property: Key(1)] double TotalMs);
}

/// <summary>
/// Exactly one of the first three: token ids as they are, text to complete, or a dialog for the model's chat format. Only a dialog has
/// <paramref name="Tools"/> that the model may call.
/// </summary>
[MessagePackObject]
public sealed record Prompt(
    [property: Key(0)] ImmutableArray<int>? Tokens,
    [property: Key(1)] string? Text,
    [property: Key(2)] ImmutableArray<ChatTurn>? Dialog,
    [property: Key(3)] ImmutableArray<ChatTool>? Tools = null);

/// <summary>One message of a dialog; roles "system", "user", "assistant", "tool". Only an assistant has made <paramref name="Calls"/>.</summary>
[MessagePackObject]
public sealed record ChatTurn(
    [property: Key(0)] string Role, [property: Key(1)] string Content, [property: Key(2)] ImmutableArray<ChatCall>? Calls = null)
{
    public bool Equals(ChatTurn? other) =>
        other is not null && Role == other.Role && Content == other.Content && (Calls ?? []).SequenceEqual(other.Calls ?? []);

    public override int GetHashCode() => HashCode.Combine(Role, Content, Calls?.Length ?? 0);
}

/// <summary>A call of a tool; its arguments are a JSON object.</summary>
[MessagePackObject]
public sealed record ChatCall([property: Key(0)] string Name, [property: Key(1)] string ArgumentsJson);

/// <summary>A tool that the model may call; its parameters are a JSON schema.</summary>
[MessagePackObject]
public sealed record ChatTool([property: Key(0)] string Name, [property: Key(1)] string Description, [property: Key(2)] string ParametersJson);

/// <summary>Temperature 0 is greedy. TopP 1, TopK 0 and RepetitionPenalty 1 mean off.</summary>
[MessagePackObject]
public sealed record SamplingOptions(
    [property: Key(0)] double Temperature,
    [property: Key(1)] double TopP,
    [property: Key(2)] int TopK,
    [property: Key(3)] ulong Seed,
    [property: Key(4)] TopPRule TopPRule = TopPRule.Tempered,
    [property: Key(5)] double RepetitionPenalty = 1);

/// <summary>Of which probabilities TopP is the mass.</summary>
public enum TopPRule : byte
{
    /// <summary>Of those at the temperature asked for.</summary>
    Tempered = 0,

    /// <summary>Of those at temperature 1; equal logits at the edge all stay (MaxText's nucleus).</summary>
    UntemperedWithTies = 1,

    /// <summary>Of those at temperature 1 (MaxText's composite).</summary>
    Untempered = 2,
}

/// <summary>
/// Natural logarithms of the probabilities of a token and of the likeliest ids, likeliest first, in the raw softmax. An empty
/// <paramref name="TopIds"/>: only the token's own was asked for.
/// </summary>
[MessagePackObject]
public sealed record TokenLogProbs(
    [property: Key(0)] float LogProb,
    [property: Key(1)] ImmutableArray<int> TopIds,
    [property: Key(2)] ImmutableArray<float> TopLogProbs)
{
    public bool Equals(TokenLogProbs? other) =>
        other is not null && LogProb == other.LogProb && TopIds.SequenceEqual(other.TopIds) && TopLogProbs.SequenceEqual(other.TopLogProbs);

    public override int GetHashCode() => HashCode.Combine(LogProb, TopIds.Length);
}

/// <summary>Which rows of logits a session is to return: for verification.</summary>
public enum LogitsWanted : byte
{
    None = 0,

    /// <summary>The row of every position: the prompt's too.</summary>
    All = 1,

    /// <summary>The rows that chose a token.</summary>
    Generated = 2,
}

/// <summary>
/// Whose turn it is: a session of high priority is treated as if it had come <c>scheduler.priority-step</c> earlier than it did, one of low
/// priority as if it had come that much later. So nobody waits for ever.
/// </summary>
public enum SessionPriority : byte
{
    Normal = 0,
    Low = 1,
    High = 2,
}

public enum FinishReason : byte
{
    /// <summary>A stop token or stop string.</summary>
    Stop = 0,

    /// <summary>As many tokens as were asked for, or the context is full.</summary>
    Length = 1,
    Cancelled = 2,

    /// <summary>The cluster could not go on within the configured bound; <c>Error</c> says why.</summary>
    Failed = 3,

    /// <summary>The time that the session was given is over.</summary>
    Expired = 4,

    /// <summary>What ran it died, twice; <c>Error</c> says what.</summary>
    Poisonous = 5,
}

public enum RefusalReason : byte
{
    /// <summary>The request breaks a rule that the message names.</summary>
    Invalid = 0,

    /// <summary>Bounded queue full: try again later.</summary>
    Busy = 1,

    /// <summary>The cluster is not ready within the bound.</summary>
    NotReady = 2,

    /// <summary>Nothing is known here by that id and epoch.</summary>
    Unknown = 3,

    /// <summary>A higher epoch exists, or a higher attempt of the same: open it again with a higher epoch.</summary>
    Stale = 4,
    Loading = 5,
    Failed = 6,

    /// <summary>What ran it died, twice: it is not run again.</summary>
    Poisonous = 7,
}
