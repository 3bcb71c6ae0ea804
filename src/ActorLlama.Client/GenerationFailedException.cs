using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>A session was refused, or ended before its last token.</summary>
public sealed class GenerationFailedException : Exception
{
    public GenerationFailedException(RefusalReason reason, string message)
        : base(message) => Reason = reason;

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
}
