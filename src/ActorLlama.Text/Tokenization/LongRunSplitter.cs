namespace ActorLlama.Text;

/// <summary>
/// Meta's cut of long texts before the split pattern (spec 5.1): blocks of 400,000 characters, and inside them a cut wherever a run of
/// whitespace, or of anything else, would pass 25,000. Characters are code points and whitespace is Python's, as in the reference.
/// </summary>
internal static class LongRunSplitter
{
    public const int BlockCharacters = 400_000;
    public const int RunCharacters = 25_000;

    /// <summary>Where the parts end, in UTF-16 units, ascending; the last is the text's length. Empty for an empty text.</summary>
    public static List<int> PartEnds(ReadOnlySpan<char> text)
    {
        var ends = new List<int>();
        var run = 0;
        var block = 0;
        var runIsSpace = false;
        for (var at = text.Length <= RunCharacters ? text.Length : 0; at < text.Length;)
        {
            var isSpace = IsSpace(text[at]);
            run = isSpace == runIsSpace ? run + 1 : 1;
            block++;
            runIsSpace = isSpace;
            if (block > BlockCharacters || run > RunCharacters)
            {
                ends.Add(at);
                block = block > BlockCharacters ? 1 : block;
                run = 1;
            }
            at += char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;
        }
        if (!text.IsEmpty) ends.Add(text.Length);
        return ends;
    }

    /// <summary>Python's <c>str.isspace</c>: Unicode White_Space and the four ASCII separators.</summary>
    private static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';
}
