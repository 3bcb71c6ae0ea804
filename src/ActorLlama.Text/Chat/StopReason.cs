namespace ActorLlama.Text;

/// <summary>How an assistant message ended (spec 5.3).</summary>
public enum StopReason
{
    /// <summary><c>&lt;|eot|&gt;</c>: the turn goes to the user.</summary>
    EndOfTurn = 0,

    /// <summary><c>&lt;|eom|&gt;</c>: the assistant will go on, after a tool result if it made a call.</summary>
    EndOfMessage = 1,

    /// <summary>Neither came.</summary>
    OutOfTokens = 2,
}
