using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>Whether a tool call starts at some place of a text.</summary>
internal enum MatchKind
{
    /// <summary>None does.</summary>
    None = 0,

    /// <summary>More text decides.</summary>
    More = 1,

    /// <summary>One does; its end is known.</summary>
    Whole = 2,
}

/// <summary>The answer of a matcher.</summary>
/// <param name="Kind">Whether there is a match.</param>
/// <param name="End">The index behind what was matched, if whole.</param>
/// <param name="Calls">The calls in it; none if it only looked like a call.</param>
internal readonly record struct CallMatch(MatchKind Kind, int End, ImmutableArray<ToolCall> Calls)
{
    public static CallMatch None => new(MatchKind.None, 0, []);

    public static CallMatch More => new(MatchKind.More, 0, []);

    public static CallMatch Whole(int end, params ReadOnlySpan<ToolCall> calls) => new(MatchKind.Whole, end, [.. calls]);
}
