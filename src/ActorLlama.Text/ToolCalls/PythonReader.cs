using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace ActorLlama.Text;

/// <summary>
/// Reads Python's lists of calls and dictionaries of literals, as far as models write them: texts in all quotes, numbers, True, False,
/// None, lists, tuples and dictionaries. Values become JSON. Running into the end of the text means that more of it decides.
/// </summary>
internal ref struct PythonReader
{
    private const int MaxDepth = 60;

    private readonly ReadOnlySpan<char> _text;
    private int _at;
    private bool _ranOut;

    private PythonReader(ReadOnlySpan<char> text, int at)
    {
        _text = text;
        _at = at;
    }

    /// <summary><c>[f(a=1), g()]</c>: at least one call, keyword arguments only.</summary>
    public static CallMatch CallList(string text, int start)
    {
        var reader = new PythonReader(text, start);
        var calls = ImmutableArray.CreateBuilder<ToolCall>();
        return reader.TryCallList(calls) ? CallMatch.Whole(reader._at, calls.ToArray()) : reader._ranOut ? CallMatch.More : CallMatch.None;
    }

    /// <summary>A dictionary, as JSON that Python would dump, and the index behind it.</summary>
    public static (string Json, int End, MatchKind Found) Dictionary(string text, int start)
    {
        var reader = new PythonReader(text, start);
        var json = new StringBuilder();
        return reader.Take('{') && reader.TryDictionary(json, 1)
            ? (json.ToString(), reader._at, MatchKind.Whole)
            : ("", 0, reader._ranOut ? MatchKind.More : MatchKind.None);
    }

    private bool TryCallList(ImmutableArray<ToolCall>.Builder calls)
    {
        if (!Take('[')) return false;
        do
        {
            if (calls.Count > 0 && Take(']')) return true;
            if (_ranOut || !TryCall(calls)) return false;
        }
        while (Take(','));
        return !_ranOut && Take(']');
    }

    private bool TryCall(ImmutableArray<ToolCall>.Builder calls)
    {
        if (!TryName(out var name) || !Take('(')) return false;
        var arguments = new StringBuilder("{");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (!Take(')'))
        {
            if (_ranOut || (seen.Count > 0 && !Take(',')) || _ranOut) return false;
            if (seen.Count > 0 && Take(')')) break;
            if (_ranOut || !TryName(out var argument) || !seen.Add(argument) || !Take('=')) return false;
            arguments.Append(seen.Count > 1 ? ", " : "").Append(PythonText.JsonString(argument)).Append(": ");
            if (!TryValue(arguments, 1)) return false;
        }
        calls.Add(new ToolCall(name, arguments.Append('}').ToString()));
        return true;
    }

    private bool TryValue(StringBuilder json, int depth)
    {
        if (!Peek(out var first) || depth > MaxDepth) return false;
        switch (first)
        {
            case '"' or '\'': return TryString(json);
            case '[': _at++; return TryItems(json, ']', depth, out _);
            case '(': _at++; return TryTuple(json, depth);
            case '{': _at++; return TryDictionary(json, depth);
            case '+' or '-' or '.' or (>= '0' and <= '9'): return TryNumber(json);
            default: return TryConstant(json);
        }
    }

    private bool TryItems(StringBuilder json, char close, int depth, out int count)
    {
        count = 0;
        json.Append('[');
        while (!Take(close))
        {
            if (_ranOut || (count > 0 && !Take(',')) || _ranOut) return false;
            if (count > 0 && Take(close)) break;
            if (count++ > 0) json.Append(", ");
            if (_ranOut || !TryValue(json, depth + 1)) return false;
        }
        json.Append(']');
        return true;
    }

    /// <summary>A tuple is a list; one value in parentheses without a comma is that value.</summary>
    private bool TryTuple(StringBuilder json, int depth)
    {
        var items = new StringBuilder();
        var start = _at;
        if (!TryItems(items, ')', depth, out var count)) return false;
        var inside = _text[start..(_at - 1)].TrimEnd();
        json.Append(count == 1 && !inside.EndsWith(",") ? items.ToString(1, items.Length - 2) : items.ToString());
        return true;
    }

    private bool TryDictionary(StringBuilder json, int depth)
    {
        var count = 0;
        json.Append('{');
        while (!Take('}'))
        {
            if (_ranOut || (count > 0 && !Take(',')) || _ranOut) return false;
            if (count > 0 && Take('}')) break;
            if (count++ > 0) json.Append(", ");
            if (_ranOut || !TryKey(json, depth) || !Take(':')) return false;
            json.Append(": ");
            if (!TryValue(json, depth + 1)) return false;
        }
        json.Append('}');
        return true;
    }

    private bool TryKey(StringBuilder json, int depth)
    {
        var key = new StringBuilder();
        if (!TryValue(key, depth + 1) || key[0] is '[' or '{') return false;
        json.Append(key[0] == '"' ? key.ToString() : PythonText.JsonString(key.ToString()));
        return true;
    }

    private bool TryConstant(StringBuilder json)
    {
        if (!TryName(out var name)) return false;
        var value = name switch { "True" or "true" => "true", "False" or "false" => "false", "None" or "null" => "null", _ => null };
        json.Append(value);
        return value is not null;
    }

    private bool TryNumber(StringBuilder json)
    {
        var negative = false;
        for (; _at < _text.Length && _text[_at] is '+' or '-'; _at++) negative ^= _text[_at] == '-';
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '_' || IsExponentSign(start))) _at++;
        if (_at == _text.Length) return RunOut();
        var digits = _text[start.._at].ToString().Replace("_", "", StringComparison.Ordinal);
        if (!TryNumberJson(digits, out var number)) return false;
        json.Append(negative && number != "0" ? "-" : "").Append(number);
        return true;
    }

    private readonly bool IsExponentSign(int start) => _text[_at] is '+' or '-' && _at > start && _text[_at - 1] is 'e' or 'E' && !_text[start.._at].StartsWith("0x");

    private static bool TryNumberJson(string digits, out string json)
    {
        json = "";
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            if (!BigInteger.TryParse("0" + digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex) || digits.Length == 2) return false;
            json = hex.ToString(CultureInfo.InvariantCulture);
            return true;
        }
        if (digits.Length > 0 && digits.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0)
        {
            json = digits;
            return digits.Length == 1 || digits[0] != '0';
        }
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value)) return false;
        json = PythonText.Repr(value);
        return true;
    }

    private bool TryString(StringBuilder json)
    {
        if (!PythonString.TryRead(_text, ref _at, out var value, out _ranOut)) return false;
        json.Append(PythonText.JsonString(value));
        return true;
    }

    private bool TryName(out string name)
    {
        name = "";
        if (!Peek(out var first) || !(char.IsLetter(first) || first == '_')) return false;
        var start = _at;
        while (_at < _text.Length && (char.IsLetterOrDigit(_text[_at]) || _text[_at] == '_')) _at++;
        name = _text[start.._at].ToString();
        return _at < _text.Length || RunOut();
    }

    private bool Take(char wanted)
    {
        if (!Peek(out var next) || next != wanted) return false;
        _at++;
        return true;
    }

    private bool Peek(out char next)
    {
        while (_at < _text.Length && _text[_at] is ' ' or '\t' or '\n' or '\r') _at++;
        next = _at < _text.Length ? _text[_at] : '\0';
        return _at < _text.Length || RunOut();
    }

    private bool RunOut()
    {
        _ranOut = true;
        return false;
    }
}
