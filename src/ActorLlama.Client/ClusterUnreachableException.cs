namespace ActorLlama.Client;

/// <summary>No node answered within the time given.</summary>
public sealed class ClusterUnreachableException : Exception
{
    public ClusterUnreachableException(string message)
        : base(message)
    {
    }

    public ClusterUnreachableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public ClusterUnreachableException()
    {
    }
}
