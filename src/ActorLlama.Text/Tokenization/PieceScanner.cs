using System.Globalization;
using System.Text;

namespace ActorLlama.Text;

/// <summary>
/// Llama 4's split pattern (spec 5.1) written out over code points. .NET's regex sees UTF-16 units, so <c>\p{..}</c>, counts and
/// negated classes go wrong on supplementary characters, and its case folding does not match ſ with s.
/// </summary>
/// <remarks>
/// The alternatives, tried in this order: a word (<see cref="LowerWord"/>, <see cref="UpperWord"/>), up to three digits, other
/// characters with newlines and slashes behind them, whitespace up to its last newline, whitespace but for the last character if
/// something follows, whitespace.
/// </remarks>
internal static class PieceScanner
{
    [Flags]
    private enum Kind : byte
    {
        Other = 0,
        /// <summary>Lu, Lt, Lm, Lo or M: may stand in a word's first part.</summary>
        Upper = 1,
        /// <summary>Ll, Lm, Lo or M: may stand in a word's second part.</summary>
        Lower = 2,
        Letter = 4,
        Digit = 8,
        Space = 16,
        Newline = 32,
    }

    private const int None = -1;

    private static readonly Kind[] s_latin = BuildLatin();

    /// <summary>The index behind the piece that starts at <paramref name="start"/>; always greater than it.</summary>
    public static int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var first = KindAt(text, start, out var width);
        var end = Word(text, start, first, width);
        if (end != None) return end;
        if ((first & Kind.Digit) != 0) return Digits(text, start);
        if ((first & Kind.Space) == 0) return Others(text, start);
        if (text[start] == ' ' && start + 1 < text.Length && (KindAt(text, start + 1, out _) & (Kind.Space | Kind.Letter | Kind.Digit)) == 0)
            return Others(text, start + 1);
        return Whitespace(text, start);
    }

    private static int Word(ReadOnlySpan<char> text, int start, Kind first, int width)
    {
        var mayPrefix = (first & (Kind.Letter | Kind.Digit | Kind.Newline)) == 0;
        var mayStart = (first & (Kind.Upper | Kind.Lower)) != 0;
        var end = None;
        if (mayPrefix) end = LowerWord(text, start + width);
        if (end == None && mayStart) end = LowerWord(text, start);
        if (end == None && mayPrefix) end = UpperWord(text, start + width);
        if (end == None && mayStart) end = UpperWord(text, start);
        return end == None ? None : Contraction(text, end);
    }

    /// <summary>Upper* Lower+, as greedy as a backtracking engine: the upper run gives back only when no lower character follows it.</summary>
    private static int LowerWord(ReadOnlySpan<char> text, int start)
    {
        var at = start;
        var lastLowerEnd = None;
        while (at < text.Length)
        {
            var kind = KindAt(text, at, out var width);
            if ((kind & Kind.Upper) == 0) break;
            at += width;
            if ((kind & Kind.Lower) != 0) lastLowerEnd = at;
        }
        var end = Run(text, at, Kind.Lower);
        return end > at ? end : lastLowerEnd;
    }

    /// <summary>Upper+ Lower*.</summary>
    private static int UpperWord(ReadOnlySpan<char> text, int start)
    {
        var end = Run(text, start, Kind.Upper);
        return end > start ? Run(text, end, Kind.Lower) : None;
    }

    /// <summary>One of 's 't 're 've 'm 'll 'd in any case, if it stands at <paramref name="at"/>; ſ (U+017F) folds to s.</summary>
    private static int Contraction(ReadOnlySpan<char> text, int at)
    {
        if (at + 1 >= text.Length || text[at] != '\'') return at;
        var next = at + 2 < text.Length ? text[at + 2] | 0x20 : 0;
        return (text[at + 1] | 0x20, next) switch
        {
            ('s' or 'ſ' or 't' or 'm' or 'd', _) => at + 2,
            ('r', 'e') or ('v', 'e') or ('l', 'l') => at + 3,
            _ => at,
        };
    }

    private static int Digits(ReadOnlySpan<char> text, int start)
    {
        var at = start;
        for (var count = 0; count < 3 && at < text.Length; count++)
        {
            if ((KindAt(text, at, out var width) & Kind.Digit) == 0) break;
            at += width;
        }
        return at;
    }

    private static int Others(ReadOnlySpan<char> text, int start)
    {
        var at = start;
        while (at < text.Length && (KindAt(text, at, out var width) & (Kind.Space | Kind.Letter | Kind.Digit)) == 0) at += width;
        while (at < text.Length && text[at] is '\r' or '\n' or '/') at++;
        return at;
    }

    private static int Whitespace(ReadOnlySpan<char> text, int start)
    {
        var at = start;
        var newlineEnd = None;
        var lastStart = start;
        while (at < text.Length)
        {
            var kind = KindAt(text, at, out var width);
            if ((kind & Kind.Space) == 0) break;
            lastStart = at;
            at += width;
            if ((kind & Kind.Newline) != 0) newlineEnd = at;
        }
        if (newlineEnd != None) return newlineEnd;
        return at == text.Length || lastStart == start ? at : lastStart;
    }

    private static int Run(ReadOnlySpan<char> text, int at, Kind wanted)
    {
        while (at < text.Length && (KindAt(text, at, out var width) & wanted) != 0) at += width;
        return at;
    }

    /// <summary>The kind of the code point at an index and its width in UTF-16 units; half a surrogate pair counts as U+FFFD.</summary>
    private static Kind KindAt(ReadOnlySpan<char> text, int at, out int width)
    {
        var unit = text[at];
        width = 1;
        if (unit < s_latin.Length) return s_latin[unit];
        if (!char.IsSurrogate(unit)) return Classify(unit, CharUnicodeInfo.GetUnicodeCategory(unit));
        Rune.DecodeFromUtf16(text[at..], out var rune, out width);
        return Classify(unit, Rune.GetUnicodeCategory(rune));
    }

    private static Kind Classify(char unit, UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => Kind.Letter | Kind.Upper,
        UnicodeCategory.LowercaseLetter => Kind.Letter | Kind.Lower,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter | Kind.Upper | Kind.Lower,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Kind.Upper | Kind.Lower,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Digit,
        _ => unit is '\r' or '\n' ? Kind.Space | Kind.Newline : char.IsWhiteSpace(unit) ? Kind.Space : Kind.Other,
    };

    private static Kind[] BuildLatin()
    {
        var kinds = new Kind[256];
        for (var i = 0; i < kinds.Length; i++) kinds[i] = Classify((char)i, CharUnicodeInfo.GetUnicodeCategory((char)i));
        return kinds;
    }
}
