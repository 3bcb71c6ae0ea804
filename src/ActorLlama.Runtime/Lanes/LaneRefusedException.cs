using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The peer does not accept the connection.</summary>
internal sealed class LaneRefusedException : Exception
{
    public LaneRefusedException(LaneRefusal reason, string message)
        : base(message) => Reason = reason;

    public LaneRefusedException(string message)
        : base(message)
    {
    }

    public LaneRefusedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public LaneRefusedException()
    {
    }

    public LaneRefusal Reason { get; }
}
