using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>A session was refused, or ended before its last token.</summary>
public sealed class GenerationFailedException : Exception
{
    public GenerationFailedException(RefusalReason reason, string message, TimeSpan retryAfter = default)
        : base(message) => (Reason, RetryAfter) = (reason, retryAfter);

    public GenerationFailedException(string message, Exception innerException)
        : base(message, innerException) => Reason = RefusalReason.Failed;

    public GenerationFailedException(string message)
        : this(RefusalReason.Failed, message)
    {
    }

    public GenerationFailedException()
    {
    }

    /// <summary>What kind of "no" it was; <see cref="RefusalReason.Failed"/> when the cluster could not go on or was not heard of.</summary>
    public RefusalReason Reason { get; }

    /// <summary>When busy: how long to wait before asking again, as the cluster said; else zero.</summary>
    public TimeSpan RetryAfter { get; }
}
