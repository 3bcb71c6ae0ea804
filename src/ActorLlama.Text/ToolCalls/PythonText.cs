using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>JSON values as Python writes them: <c>json.dumps</c> with its defaults, and as Python literals.</summary>
internal static class PythonText
{
    /// <summary>As <c>json.dumps</c>: ", " and ": ", everything but printable ASCII escaped, keys in order, floats by <c>repr</c>.</summary>
    public static string Json(JsonElement value) => Write(new StringBuilder(), value, python: false).ToString();

    /// <summary>As a literal that Python and our parser read back: True, False, None, "text", [..], {"key": ..}.</summary>
    public static string Literal(JsonElement value) => Write(new StringBuilder(), value, python: true).ToString();

    /// <summary>A text in JSON quotes.</summary>
    public static string JsonString(string value) => Quote(new StringBuilder(), value).ToString();

    /// <summary>A text in JSON quotes as <c>json.dumps(ensure_ascii=False)</c> writes it.</summary>
    public static string UnicodeString(string value) => Quote(new StringBuilder(), value, ascii: false).ToString();

    /// <summary>As <c>json.dumps(indent=4, ensure_ascii=False)</c>, standing that many levels deep in a larger value.</summary>
    public static string IndentedJson(JsonElement value, int depth = 0) => WriteIndented(new StringBuilder(), value, depth).ToString();

    private static StringBuilder Write(StringBuilder to, JsonElement value, bool python) => value.ValueKind switch
    {
        JsonValueKind.Object => WriteObject(to, value, python),
        JsonValueKind.Array => WriteArray(to, value, python),
        JsonValueKind.String => python ? QuoteLiteral(to, value.GetString()!) : Quote(to, value.GetString()!),
        JsonValueKind.Number => to.Append(Number(value.GetRawText())),
        JsonValueKind.True => to.Append(python ? "True" : "true"),
        JsonValueKind.False => to.Append(python ? "False" : "false"),
        _ => to.Append(python ? "None" : "null"),
    };

    private static StringBuilder WriteObject(StringBuilder to, JsonElement value, bool python)
    {
        to.Append('{');
        var first = true;
        foreach (var (name, member) in Members(value))
        {
            if (!first) to.Append(", ");
            first = false;
            _ = python ? QuoteLiteral(to, name) : Quote(to, name);
            Write(to.Append(": "), member, python);
        }
        return to.Append('}');
    }

    private static StringBuilder WriteIndented(StringBuilder to, JsonElement value, int depth)
    {
        var (open, close) = value.ValueKind == JsonValueKind.Object ? ('{', '}') : ('[', ']');
        if (value.ValueKind == JsonValueKind.String) return Quote(to, value.GetString()!, ascii: false);
        if (value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array)) return Write(to, value, python: false);
        to.Append(open);
        var line = "\n" + new string(' ', 4 * (depth + 1));
        var separator = line;
        foreach (var (name, item) in value.ValueKind == JsonValueKind.Object ? Members(value) : value.EnumerateArray().Select(item => new KeyValuePair<string, JsonElement>("", item)))
        {
            to.Append(separator);
            if (open == '{') Quote(to, name, ascii: false).Append(": ");
            WriteIndented(to, item, depth + 1);
            separator = "," + line;
        }
        if (separator != line) to.Append('\n').Append(' ', 4 * depth);
        return to.Append(close);
    }

    private static StringBuilder WriteArray(StringBuilder to, JsonElement value, bool python)
    {
        to.Append('[');
        var first = true;
        foreach (var item in value.EnumerateArray())
        {
            if (!first) to.Append(", ");
            first = false;
            Write(to, item, python);
        }
        return to.Append(']');
    }

    /// <summary>The members of an object; a name that occurs twice keeps its first place and its last value, as in Python.</summary>
    public static IEnumerable<KeyValuePair<string, JsonElement>> Members(JsonElement value)
    {
        var members = new OrderedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject()) members[member.Name] = member.Value;
        return members;
    }

    private static StringBuilder Quote(StringBuilder to, string text, bool ascii = true)
    {
        to.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => to.Append("\\\""),
                '\\' => to.Append("\\\\"),
                '\n' => to.Append("\\n"),
                '\r' => to.Append("\\r"),
                '\t' => to.Append("\\t"),
                '\f' => to.Append("\\f"),
                '\b' => to.Append("\\b"),
                >= ' ' and <= '~' => to.Append(c),
                > '~' when !ascii => to.Append(c),
                _ => to.Append($"\\u{(int)c:x4}"),
            };
        }
        return to.Append('"');
    }

    private static StringBuilder QuoteLiteral(StringBuilder to, string text)
    {
        to.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => to.Append("\\\""),
                '\\' => to.Append("\\\\"),
                '\n' => to.Append("\\n"),
                '\r' => to.Append("\\r"),
                '\0' => to.Append("\\0"),
                _ => to.Append(c),
            };
        }
        return to.Append('"');
    }

    /// <summary>Integers digit for digit; others as Python's <c>repr</c> of the nearest double.</summary>
    private static string Number(string json)
    {
        if (json.AsSpan().IndexOfAny('.', 'e', 'E') < 0) return json == "-0" ? "0" : json;
        var value = double.Parse(json, CultureInfo.InvariantCulture);
        return double.IsFinite(value) ? Repr(value) : json;
    }

    internal static string Repr(double value)
    {
        var shortest = value.ToString("E16", CultureInfo.InvariantCulture);
        for (var digits = 0; digits < 17; digits++)
        {
            var candidate = value.ToString($"E{digits}", CultureInfo.InvariantCulture);
            if (double.Parse(candidate, CultureInfo.InvariantCulture) != value) continue;
            shortest = candidate;
            break;
        }
        var cut = shortest.IndexOf('E');
        var exponent = int.Parse(shortest.AsSpan(cut + 1), CultureInfo.InvariantCulture);
        if (exponent is < -4 or >= 16)
            return $"{shortest[..cut]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        var mantissa = shortest[..cut].Replace(".", "", StringComparison.Ordinal).TrimStart('-');
        var plain = exponent < 0
            ? "0." + new string('0', -exponent - 1) + mantissa
            : mantissa.Length <= exponent + 1 ? mantissa.PadRight(exponent + 1, '0') + ".0" : mantissa.Insert(exponent + 1, ".");
        return double.IsNegative(value) ? "-" + plain : plain;
    }
}
