namespace ActorLlama;

/// <summary>
/// A user's mistake: a bad file, flag, setting or request. Its message is one line that says what was being done, the name and value
/// found, the rule and what to change. Hosts print it without a stack trace and exit non-zero.
/// </summary>
public sealed class InvalidInputException : Exception
{
    public InvalidInputException(string message)
        : base(message)
    {
    }

    public InvalidInputException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public InvalidInputException()
    {
    }
}
