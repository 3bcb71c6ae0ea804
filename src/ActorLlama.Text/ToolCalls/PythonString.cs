using System.Globalization;
using System.Text;

namespace ActorLlama.Text;

/// <summary>Reads one Python text in single, double or triple quotes.</summary>
internal static class PythonString
{
    /// <param name="text">The text around it.</param>
    /// <param name="at">The index of its first quote; behind it when read.</param>
    /// <param name="value">What it holds.</param>
    /// <param name="ranOut">True if the text ended before it did.</param>
    public static bool TryRead(ReadOnlySpan<char> text, ref int at, out string value, out bool ranOut)
    {
        value = "";
        ranOut = false;
        var quote = text[at];
        var quotes = 0;
        while (quotes < 3 && at + quotes < text.Length && text[at + quotes] == quote) quotes++;
        if (quotes == 2 && at + 2 == text.Length) return RunOut(out ranOut);
        at += quotes;
        if (quotes == 2) return true;
        var triple = quotes == 3;
        var read = new StringBuilder();
        while (at < text.Length)
        {
            var c = text[at];
            if (c == quote && (!triple || text[at..].StartsWith([quote, quote, quote])))
            {
                at += quotes;
                value = read.ToString();
                return IsWellFormed(value);
            }
            if (c == '\n' && !triple) return false;
            at++;
            if (c != '\\') read.Append(c);
            else if (!TryEscape(text, ref at, read, out ranOut)) return false;
        }
        return RunOut(out ranOut);
    }

    private static bool TryEscape(ReadOnlySpan<char> text, ref int at, StringBuilder read, out bool ranOut)
    {
        ranOut = false;
        if (at == text.Length) return RunOut(out ranOut);
        var c = text[at++];
        switch (c)
        {
            case '\n': return true;
            case '\\' or '\'' or '"': read.Append(c); return true;
            case 'a': read.Append('\a'); return true;
            case 'b': read.Append('\b'); return true;
            case 'f': read.Append('\f'); return true;
            case 'n': read.Append('\n'); return true;
            case 'r': read.Append('\r'); return true;
            case 't': read.Append('\t'); return true;
            case 'v': read.Append('\v'); return true;
            case 'x': return TryHex(text, ref at, 2, read, out ranOut);
            case 'u': return TryHex(text, ref at, 4, read, out ranOut);
            case 'U': return TryHex(text, ref at, 8, read, out ranOut);
            case >= '0' and <= '7': return TryOctal(text, ref at, c, read, out ranOut);
            default: read.Append('\\').Append(c); return true;
        }
    }

    private static bool TryHex(ReadOnlySpan<char> text, ref int at, int digits, StringBuilder read, out bool ranOut)
    {
        ranOut = false;
        if (text.Length - at < digits) return RunOut(out ranOut);
        if (!int.TryParse(text.Slice(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) || code is < 0 or > 0x10FFFF) return false;
        at += digits;
        if (code > 0xFFFF) read.Append(new Rune(code).ToString());
        else read.Append((char)code);
        return true;
    }

    private static bool TryOctal(ReadOnlySpan<char> text, ref int at, char first, StringBuilder read, out bool ranOut)
    {
        var code = first - '0';
        for (var more = 0; more < 2 && at < text.Length && text[at] is >= '0' and <= '7'; more++) code = (code * 8) + (text[at++] - '0');
        read.Append((char)code);
        ranOut = at == text.Length;
        return !ranOut;
    }

    private static bool IsWellFormed(string value)
    {
        foreach (var rune in value.EnumerateRunes())
            if (rune == Rune.ReplacementChar && !value.Contains('\uFFFD')) return false;
        return true;
    }

    private static bool RunOut(out bool ranOut)
    {
        ranOut = true;
        return false;
    }
}
