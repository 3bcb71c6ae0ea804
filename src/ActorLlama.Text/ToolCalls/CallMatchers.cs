using System.Buffers;
using System.Text;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>The forms in which a model writes calls (spec 5.3), each matched at one place of a text that may still grow.</summary>
internal static class CallMatchers
{
    private const string FunctionOpen = "<function=";
    private const string FunctionClose = "</function>";
    private const string QueryOpen = ".call(query=\"";
    private const string QueryClose = "\")";

    private static readonly SearchValues<char> s_notInName = SearchValues.Create("<>{}\r\n");

    /// <summary><c>&lt;function=NAME&gt;{json}&lt;/function&gt;</c>; the closing tag may be missing.</summary>
    public static CallMatch FunctionTag(string text, int start)
    {
        var kind = Literal(text, start, FunctionOpen);
        if (kind != MatchKind.Whole) return new CallMatch(kind, 0, []);
        var nameStart = start + FunctionOpen.Length;
        var nameLength = text.AsSpan(nameStart).IndexOfAny(s_notInName);
        if (nameLength < 0) return CallMatch.More;
        var argumentsStart = nameStart + nameLength + 1;
        if (nameLength == 0 || text[argumentsStart - 1] != '>') return CallMatch.None;
        var (arguments, end, found) = JsonObject(text, argumentsStart);
        if (found == MatchKind.None) (arguments, end, found) = PythonReader.Dictionary(text, argumentsStart);
        if (found != MatchKind.Whole) return new CallMatch(found, 0, []);
        var close = Literal(text, end, FunctionClose);
        if (close == MatchKind.More) return CallMatch.More;
        return CallMatch.Whole(close == MatchKind.Whole ? end + FunctionClose.Length : end, Call(text.Substring(nameStart, nameLength), arguments));
    }

    /// <summary><c>NAME.call(query="...")</c>, the form of the builtin tools.</summary>
    public static CallMatch Query(string text, int start)
    {
        var nameEnd = start;
        while (nameEnd < text.Length && IsWord(text[nameEnd])) nameEnd++;
        if (nameEnd == start) return CallMatch.None;
        var kind = Literal(text, nameEnd, QueryOpen);
        if (kind != MatchKind.Whole) return new CallMatch(kind, 0, []);
        var queryStart = nameEnd + QueryOpen.Length;
        var queryLength = text.AsSpan(queryStart).IndexOf('"');
        if (queryLength < 0) return CallMatch.More;
        kind = Literal(text, queryStart + queryLength, QueryClose);
        if (kind != MatchKind.Whole) return new CallMatch(kind, 0, []);
        var call = new ToolCall(text[start..nameEnd], $$"""{"query": {{PythonText.JsonString(text.Substring(queryStart, queryLength))}}}""");
        return CallMatch.Whole(queryStart + queryLength + QueryClose.Length, call);
    }

    /// <summary>A JSON object; a call if it has a text "name" and an object "parameters".</summary>
    public static CallMatch JsonCall(string text, int start)
    {
        var (json, end, found) = JsonObject(text, start);
        if (found != MatchKind.Whole) return new CallMatch(found, 0, []);
        using var document = JsonDocument.Parse(json);
        return document.RootElement.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
            && document.RootElement.TryGetProperty("parameters", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            ? CallMatch.Whole(end, Call(name.GetString()!, PythonText.Json(parameters)))
            : CallMatch.Whole(end);
    }

    /// <summary><c>[f(a=1), g(b="x")]</c></summary>
    public static CallMatch PythonList(string text, int start)
    {
        var match = PythonReader.CallList(text, start);
        return match with { Calls = [.. match.Calls.Select(call => Call(call.Name, call.ArgumentsJson))] };
    }

    /// <summary>True for the characters of a builtin tool's name.</summary>
    public static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    /// <summary>Whether a fixed text stands at a place, or may still come to stand there.</summary>
    public static MatchKind Literal(string text, int start, string wanted)
    {
        var there = text.AsSpan(start, Math.Min(wanted.Length, text.Length - start));
        if (!wanted.AsSpan().StartsWith(there)) return MatchKind.None;
        return there.Length == wanted.Length ? MatchKind.Whole : MatchKind.More;
    }

    /// <summary>A call; builtin tools called in a custom form take their first argument under their own name for it.</summary>
    private static ToolCall Call(string name, string argumentsJson)
    {
        if (!BuiltinTools.Contains(name)) return new ToolCall(name, argumentsJson);
        using var document = JsonDocument.Parse(argumentsJson);
        var argument = name == BuiltinTools.CodeInterpreter ? "code" : "query";
        foreach (var (_, value) in PythonText.Members(document.RootElement))
            return new ToolCall(name, $$"""{"{{argument}}": {{PythonText.Json(value)}}}""");
        return new ToolCall(name, argumentsJson);
    }

    /// <summary>The JSON object at a place, as Python would dump it, and the index behind it.</summary>
    private static (string Json, int End, MatchKind Found) JsonObject(string text, int start)
    {
        if (start == text.Length) return ("", 0, MatchKind.More);
        if (text[start] != '{') return ("", 0, MatchKind.None);
        var utf8 = Encoding.UTF8.GetBytes(text, start, text.Length - start);
        var reader = new Utf8JsonReader(utf8, isFinalBlock: false, default);
        try
        {
            if (!JsonDocument.TryParseValue(ref reader, out var document)) return ("", 0, MatchKind.More);
            using (document)
                return (PythonText.Json(document.RootElement), start + Encoding.UTF8.GetCharCount(utf8, 0, (int)reader.BytesConsumed), MatchKind.Whole);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return ("", 0, MatchKind.None); // no JSON, or half a surrogate pair in a text
        }
    }
}
