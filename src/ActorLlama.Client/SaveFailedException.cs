namespace ActorLlama.Client;

/// <summary>A cluster could not save its model; the message says why, and that nothing was saved.</summary>
public sealed class SaveFailedException : Exception
{
    public SaveFailedException(string message)
        : base(message)
    {
    }

    public SaveFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public SaveFailedException()
    {
    }
}
