using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>One message of a dialog. Equal by content.</summary>
/// <param name="Role">Who speaks.</param>
/// <param name="Content">Its parts, in order; may be empty.</param>
public sealed record ChatMessage(ChatRole Role, ImmutableArray<ContentPart> Content)
{
    public ChatMessage(ChatRole role, string text)
        : this(role, [new ContentPart.Text(text)])
    {
    }

    /// <summary>Calls that an assistant message makes; they follow its content.</summary>
    public ImmutableArray<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>How an assistant message ended.</summary>
    public StopReason StopReason { get; init; } = StopReason.EndOfTurn;

    /// <summary>Retrieved text that goes behind a user message.</summary>
    public string? Context { get; init; }

    public bool Equals(ChatMessage? other) => other is not null && Role == other.Role && Content.SequenceEqual(other.Content)
        && ToolCalls.SequenceEqual(other.ToolCalls) && StopReason == other.StopReason && Context == other.Context;

    public override int GetHashCode() => HashCode.Combine(Role, Content.Length, ToolCalls.Length, StopReason, Context);
}
