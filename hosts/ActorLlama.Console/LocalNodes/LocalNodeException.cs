namespace ActorLlama.Cli;

/// <summary>A node process on this machine did not start or ended unasked, or the cluster of them cannot serve.</summary>
internal sealed class LocalNodeException : Exception
{
    public LocalNodeException(string message)
        : base(message)
    {
    }

    public LocalNodeException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public LocalNodeException()
    {
    }
}
