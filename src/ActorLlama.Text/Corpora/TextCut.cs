namespace ActorLlama.Text;

/// <summary>Where text may be cut.</summary>
internal static class TextCut
{
    /// <summary>The first place at or behind <paramref name="offset"/> that lies between two characters, in JSON lines between two lines.</summary>
    public static long AtOrBehind(TextRange range, long offset)
    {
        using var file = File.OpenHandle(range.Path);
        Span<byte> one = stackalloc byte[1];
        for (; offset < range.End; offset++)
        {
            var looksAt = range.IsJsonLines ? offset - 1 : offset;
            if (RandomAccess.Read(file, one, looksAt) == 0) break;
            if (range.IsJsonLines ? one[0] == '\n' : (one[0] & 0xC0) != 0x80) return offset;
        }
        return range.End;
    }

    /// <summary>
    /// The last index at which a piece begins whatever the text before it, or 0. A letter or digit behind a newline is such a place: a newline ends
    /// every alternative of the split pattern but for slashes behind it.
    /// </summary>
    public static int LastSure(ReadOnlySpan<char> text)
    {
        for (var at = text.Length - 1; at > 0; at--)
            if (text[at - 1] == '\n' && char.IsLetterOrDigit(text[at])) return at;
        return 0;
    }
}
