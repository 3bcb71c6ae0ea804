namespace ActorLlama.Protocol;

/// <summary>Bytes from the network that are not one of our messages.</summary>
public sealed class MessageFormatException : Exception
{
    public MessageFormatException(string message)
        : base(message)
    {
    }

    public MessageFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public MessageFormatException()
    {
    }
}
