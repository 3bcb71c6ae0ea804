using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// Between a session and the scheduler of the pipeline that runs it. The session holds all tokens: whenever an answer is missing or out
/// of order it submits again with a higher attempt, and gets the same tokens.
/// </summary>
public static class SchedulerProtocol
{
    /// <summary>
    /// Continue <paramref name="Tokens"/> (prompt and all generated so far). Answered by <see cref="Accepted"/> or <see cref="Refused"/>,
    /// then <see cref="Sampled"/> per token. A higher attempt of the same session replaces the lower one. Choice and LogProbs as in
    /// <see cref="SessionProtocol.Open"/>. <paramref name="IsSuspect"/>: what ran it last died; it runs alone until its next token.
    /// </summary>
    [MessagePackObject]
    public sealed record Submit(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Attempt,
        [property: Key(2)] ImmutableArray<int> Tokens,
        [property: Key(3)] int PromptLength,
        [property: Key(4)] int MaxTokens,
        [property: Key(5)] ImmutableArray<int> StopIds,
        [property: Key(6)] SamplingOptions Sampling,
        [property: Key(7)] LogitsWanted Logits,
        [property: Key(8)] SessionPriority Priority = SessionPriority.Normal,
        [property: Key(9)] int Choice = 0,
        [property: Key(10)] int? LogProbs = null,
        [property: Key(11)] bool IsSuspect = false) : IClusterMessage;

    /// <summary>
    /// The session is known. <paramref name="Computed"/>: positions of it that have run. <paramref name="Ahead"/>: sequences that are let
    /// in before it, 0 once it runs. Progress is either of them moving, or a token. <paramref name="IsOnTrial"/>: a suspect that now runs alone: if what runs it
    /// dies before its next token, it was this one.
    /// </summary>
    [MessagePackObject]
    public sealed record Accepted(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Attempt,
        [property: Key(2)] int Computed,
        [property: Key(3)] int Ahead,
        [property: Key(4)] bool IsOnTrial = false) : IClusterMessage;

    [MessagePackObject]
    public sealed record Refused(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Attempt,
        [property: Key(2)] RefusalReason Reason,
        [property: Key(3)] string Message,
        [property: Key(4)] int RetryAfterMs) : IClusterMessage;

    /// <summary>The id at absolute position <paramref name="Position"/>. <paramref name="IsLast"/>: the scheduler has freed the sequence.</summary>
    [MessagePackObject]
    public sealed record Sampled(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Attempt,
        [property: Key(2)] int Position,
        [property: Key(3)] int Id,
        [property: Key(4)] bool IsLast,
        [property: Key(5)] TokenLogProbs? LogProbs = null) : IClusterMessage;

    /// <summary>Part of a logits row, ahead of the token it chose; see <see cref="SessionProtocol.LogitsPart"/>.</summary>
    [MessagePackObject]
    public sealed record LogitsPart(
        [property: Key(0)] SessionId Session,
        [property: Key(1)] long Attempt,
        [property: Key(2)] int Position,
        [property: Key(3)] int FirstValue,
        [property: Key(4)] int Values,
        [property: Key(5)] ReadOnlyMemory<byte> Bytes) : IClusterMessage;

    /// <summary>Forget the session. Not answered: the sender no longer cares, and a scheduler that never hears it drops what is not renewed.</summary>
    [MessagePackObject]
    public sealed record Withdraw([property: Key(0)] SessionId Session, [property: Key(1)] long Attempt) : IClusterMessage;

    /// <summary>Still wanted; sent every second. Answered by <see cref="Accepted"/>, or <see cref="Refused"/> when unknown.</summary>
    [MessagePackObject]
    public sealed record Renew([property: Key(0)] SessionId Session, [property: Key(1)] long Attempt) : IClusterMessage;
}
