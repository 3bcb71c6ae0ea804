namespace ActorLlama.Text;

/// <summary>Why a generation's text ended.</summary>
public abstract record StopCause
{
    private StopCause()
    {
    }

    /// <summary>A stop token came.</summary>
    public sealed record Token(int Id) : StopCause;

    /// <summary>The text reached a stop string.</summary>
    public sealed record Text(string Stop) : StopCause;

    /// <summary>Ended from outside: token limit or cancellation.</summary>
    public sealed record Finished : StopCause;
}
