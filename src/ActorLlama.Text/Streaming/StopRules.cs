using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>
/// What ends a generation: token ids, and strings in its text. A string counts at the first place where one is complete; of those
/// complete at the same place the longest counts. The stop string itself is not emitted, nor is text that could still become one.
/// The outcome does not depend on how the text was cut into pieces.
/// </summary>
public sealed class StopRules
{
    /// <param name="tokenIds">Ids that end the generation, such as <see cref="LlamaTokenizer.EosIds"/>.</param>
    /// <param name="strings">Texts that end it; compared by UTF-16 units.</param>
    /// <exception cref="InvalidDataException">A stop string is empty.</exception>
    public StopRules(IEnumerable<int> tokenIds, IEnumerable<string> strings)
    {
        TokenIds = [.. tokenIds.Distinct()];
        Strings = [.. strings.Distinct(StringComparer.Ordinal)];
        if (Strings.Contains(""))
            throw new InvalidDataException("Stop rules: a stop string is \"\". A stop string has at least one character. Leave it out.");
    }

    /// <summary>No rule: only the token limit ends the generation.</summary>
    public static StopRules None { get; } = new([], []);

    public ImmutableArray<int> TokenIds { get; }

    public ImmutableArray<string> Strings { get; }

    /// <summary>True if this id ends the generation. Its own text is not part of the output.</summary>
    public bool StopsAt(int id) => TokenIds.Contains(id);

    /// <summary>Adds text to a stream.</summary>
    /// <param name="held">What the step before held back; "" at the start.</param>
    /// <param name="text">The text that came in; "" is allowed.</param>
    public StopStep Push(string held, string text)
    {
        var all = held + text;
        var end = int.MaxValue;
        string? stop = null;
        foreach (var candidate in Strings)
        {
            var start = all.IndexOf(candidate, StringComparison.Ordinal);
            if (start < 0) continue;
            var candidateEnd = start + candidate.Length;
            if (candidateEnd > end || (candidateEnd == end && candidate.Length <= stop!.Length)) continue;
            (end, stop) = (candidateEnd, candidate);
        }
        if (stop is not null) return new StopStep(all[..(end - stop.Length)], "", stop);
        var keep = HeldLength(all);
        return new StopStep(all[..^keep], all[^keep..], null);
    }

    /// <summary>The length of the longest end of a text that is the beginning of a stop string.</summary>
    private int HeldLength(ReadOnlySpan<char> text)
    {
        var longest = 0;
        foreach (var stop in Strings)
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.EndsWith(stop.AsSpan(0, length), StringComparison.Ordinal))
                    longest = length;
        return longest;
    }
}
