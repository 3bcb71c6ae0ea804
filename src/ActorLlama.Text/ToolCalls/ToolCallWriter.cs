using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>Writes calls as the prompt holds them (spec 5.3).</summary>
public static class ToolCallWriter
{
    /// <exception cref="InvalidDataException">The arguments are no JSON object, or a builtin tool lacks its one argument.</exception>
    public static string Write(ToolCall call, ToolPromptFormat format)
    {
        try
        {
            using var document = JsonDocument.Parse(call.ArgumentsJson);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return Write(call, document.RootElement, format);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // No JSON, or half a surrogate pair in a text: told below.
        }
        throw new InvalidDataException($"Tool calls: call of \"{call.Name}\" has arguments \"{call.ArgumentsJson}\". Arguments are a JSON object, its texts valid Unicode.");
    }

    private static string Write(ToolCall call, JsonElement arguments, ToolPromptFormat format)
    {
        if (call.Name == BuiltinTools.CodeInterpreter) return Argument(call, arguments, "code");
        if (BuiltinTools.WithQuery.Contains(call.Name)) return $"{call.Name}.call(query=\"{Argument(call, arguments, "query")}\")";
        return format switch
        {
            ToolPromptFormat.Json => $$"""{"type": "function", "name": {{PythonText.JsonString(call.Name)}}, "parameters": {{PythonText.Json(arguments)}}}""",
            ToolPromptFormat.FunctionTag => $"<function={call.Name}>{PythonText.Json(arguments)}</function>",
            ToolPromptFormat.PythonList => $"[{call.Name}({string.Join(", ", PythonText.Members(arguments).Select(a => $"{a.Key}={PythonText.Literal(a.Value)}"))})]",
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Tool calls: no such format."),
        };
    }

    private static string Argument(ToolCall call, JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new InvalidDataException($"Tool calls: call of \"{call.Name}\" has arguments {call.ArgumentsJson}. This tool takes a text named \"{name}\".");
}
