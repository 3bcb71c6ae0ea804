using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>A whole assistant message, parsed. Equal by content.</summary>
/// <param name="Content">All its text.</param>
/// <param name="StopReason">How it ended.</param>
/// <param name="ToolCalls">The calls in it, in order.</param>
public sealed record AssistantOutput(string Content, StopReason StopReason, ImmutableArray<ToolCall> ToolCalls)
{
    public bool Equals(AssistantOutput? other) => other is not null && Content == other.Content && StopReason == other.StopReason && ToolCalls.SequenceEqual(other.ToolCalls);

    public override int GetHashCode() => HashCode.Combine(Content, StopReason, ToolCalls.Length);
}
