namespace ActorLlama.Runtime.Lanes;

/// <summary>The other end broke the lane's rules; its connection ends, and nothing else.</summary>
internal sealed class LaneFormatException : Exception
{
    public LaneFormatException(string message)
        : base(message)
    {
    }

    public LaneFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public LaneFormatException()
    {
    }
}
