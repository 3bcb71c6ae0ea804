namespace ActorLlama.Text;

/// <summary>What a stretch of an assistant's output turned out to be.</summary>
public abstract record AssistantEvent
{
    private AssistantEvent()
    {
    }

    /// <summary>Text for the reader.</summary>
    public sealed record Text(string Value) : AssistantEvent;

    /// <summary>A complete tool call.</summary>
    public sealed record Call(ToolCall Value) : AssistantEvent;

    /// <summary>The end of the message.</summary>
    public sealed record End(StopReason Reason) : AssistantEvent;
}
