using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Akka.Event;

namespace ActorLlama.Runtime.Configuration;

/// <summary>A log event as one line: for people, or for machines with its template and named values.</summary>
internal static class LogLine
{
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="e">The event.</param>
    /// <param name="held">How many like it were not written since the last that was.</param>
    public static string Text(LogEvent e, int held = 0)
    {
        var cause = e.Cause is null ? "" : $": {Cause(e)}";
        return string.Create(CultureInfo.InvariantCulture, $"{e.Timestamp.ToUniversalTime():HH:mm:ss.fff} {Level(e)} {Source(e)}: {OneLine(e.Message.ToString()!)}{cause}{(held > 0 ? $" ({held} more like it were not written)" : "")}");
    }

    /// <summary>time, level, source, event (the template, equal for all events of a kind), message, the template's values by name, cause, and how many like it were held back.</summary>
    public static string Json(LogEvent e, int held = 0)
    {
        var line = new JsonObject
        {
            ["time"] = e.Timestamp.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            ["level"] = Level(e),
            ["source"] = Source(e),
            ["event"] = e.GetTemplate(),
            ["message"] = e.Message.ToString(),
        };
        if (e.TryGetProperties(out var properties))
        {
            var values = new JsonObject();
            foreach (var (name, value) in properties!) values[name] = Value(value);
            if (values.Count > 0) line["values"] = values;
        }

        if (e.Cause is not null) line["cause"] = Cause(e);
        if (held > 0) line["held"] = held;
        return line.ToJsonString(s_json);
    }

    /// <summary>Akka's advice about TLS comes in paragraphs.</summary>
    private static string OneLine(string text) =>
        text.Contains('\n', StringComparison.Ordinal) ? string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)) : text;

    private static string Cause(LogEvent e) => $"{e.Cause!.GetType().Name}: {e.Cause.Message.ReplaceLineEndings(" ")}";

    private static string Source(LogEvent e) => e.LogSource.Split(['[', '('], 2)[0].Split('/')[^1].TrimEnd();

    private static JsonNode? Value(object? value) => value switch
    {
        null => null,
        bool flag => flag,
        int or long or short or byte => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        double or float => Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && double.IsFinite(number) ? number : value.ToString(),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture),
    };

    private static string Level(LogEvent e) => e.LogLevel() switch
    {
        LogLevel.DebugLevel => "debug",
        LogLevel.InfoLevel => "info",
        LogLevel.WarningLevel => "warn",
        _ => "error",
    };
}
