using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>
/// Reads dialogs from JSON: <c>[{"role": "system|user|assistant|tool", "content": TEXT or PARTS, "tool_calls": [{"name", "arguments"}],
/// "stop_reason": "end_of_turn|end_of_message", "context": TEXT}]</c>, where a part is <c>{"type": "text", "text"}</c> or
/// <c>{"type": "image", "aspect_ratio": [rows, columns]}</c>. Other keys are left alone.
/// </summary>
public static class ChatJson
{
    /// <exception cref="InvalidDataException">Names the message, what was found, and the rule.</exception>
    public static ImmutableArray<ChatMessage> ReadMessages(JsonElement messages)
    {
        if (messages.ValueKind != JsonValueKind.Array) throw Bad("\"messages\"", messages, "It is a list of messages");
        return [.. messages.EnumerateArray().Select((message, index) => ReadMessage(message, $"message {index + 1}"))];
    }

    /// <summary>A format by its name in JSON: "json", "function_tag" or "python_list".</summary>
    /// <exception cref="InvalidDataException">There is no such format.</exception>
    public static ToolPromptFormat ReadToolPromptFormat(JsonElement name) => TextOrNull(name) switch
    {
        "json" => ToolPromptFormat.Json,
        "function_tag" => ToolPromptFormat.FunctionTag,
        "python_list" => ToolPromptFormat.PythonList,
        _ => throw Bad("\"tool_prompt_format\"", name, "It is \"json\", \"function_tag\" or \"python_list\""),
    };

    private static ChatMessage ReadMessage(JsonElement message, string at)
    {
        if (message.ValueKind != JsonValueKind.Object) throw Bad(at, message, "A message is an object");
        return new ChatMessage(ReadRole(Member(message, "role", at), at), ReadContent(Member(message, "content", at), at))
        {
            ToolCalls = Has(message, "tool_calls", out var calls) ? ReadCalls(calls, at) : [],
            StopReason = Has(message, "stop_reason", out var reason) ? ReadStopReason(reason, at) : StopReason.EndOfTurn,
            Context = Has(message, "context", out var context) ? Text(context, $"\"context\" of {at}") : null,
        };
    }

    private static ChatRole ReadRole(JsonElement role, string at) => TextOrNull(role) switch
    {
        "system" => ChatRole.System,
        "user" => ChatRole.User,
        "assistant" => ChatRole.Assistant,
        "tool" => ChatRole.Tool,
        _ => throw Bad($"\"role\" of {at}", role, "A role is \"system\", \"user\", \"assistant\" or \"tool\""),
    };

    private static StopReason ReadStopReason(JsonElement reason, string at) => TextOrNull(reason) switch
    {
        "end_of_turn" => StopReason.EndOfTurn,
        "end_of_message" => StopReason.EndOfMessage,
        "out_of_tokens" => StopReason.OutOfTokens,
        _ => throw Bad($"\"stop_reason\" of {at}", reason, "It is \"end_of_turn\", \"end_of_message\" or \"out_of_tokens\""),
    };

    private static ImmutableArray<ContentPart> ReadContent(JsonElement content, string at) => content.ValueKind switch
    {
        JsonValueKind.String => [new ContentPart.Text(Text(content, $"\"content\" of {at}"))],
        JsonValueKind.Array => [.. content.EnumerateArray().Select((part, index) => ReadPart(part, $"part {index + 1} of {at}"))],
        _ => throw Bad($"\"content\" of {at}", content, "Content is a text or a list of parts"),
    };

    private static ContentPart ReadPart(JsonElement part, string at)
    {
        if (part.ValueKind != JsonValueKind.Object) throw Bad(at, part, "A part is an object");
        var type = Member(part, "type", at);
        return TextOrNull(type) switch
        {
            "text" => new ContentPart.Text(Text(Member(part, "text", at), $"\"text\" of {at}")),
            "image" => ReadImage(Member(part, "aspect_ratio", at), at),
            _ => throw Bad($"\"type\" of {at}", type, "A part is of type \"text\" or \"image\""),
        };
    }

    private static ContentPart.Image ReadImage(JsonElement ratio, string at) =>
        ratio.ValueKind == JsonValueKind.Array && ratio.GetArrayLength() == 2 && IsTileCount(ratio[0], out var rows) && IsTileCount(ratio[1], out var columns)
            && rows * columns <= MaxTiles
            ? new ContentPart.Image(rows, columns)
            : throw Bad($"\"aspect_ratio\" of {at}", ratio, $"It is [rows, columns] of at most {MaxTiles} tiles");

    private const int MaxTiles = 16;

    private static bool IsTileCount(JsonElement value, out int count)
    {
        count = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out count) && count is >= 1 and <= MaxTiles;
    }

    private static ImmutableArray<ToolCall> ReadCalls(JsonElement calls, string at)
    {
        if (calls.ValueKind != JsonValueKind.Array) throw Bad($"\"tool_calls\" of {at}", calls, "It is a list of calls");
        return [.. calls.EnumerateArray().Select((call, index) => ReadCall(call, $"call {index + 1} of {at}"))];
    }

    private static ToolCall ReadCall(JsonElement call, string at)
    {
        if (call.ValueKind != JsonValueKind.Object) throw Bad(at, call, "A call is an object");
        var name = Text(Member(call, "name", at), $"\"name\" of {at}");
        var arguments = Member(call, "arguments", at);
        try
        {
            if (arguments.ValueKind == JsonValueKind.Object) return new ToolCall(name, PythonText.Json(arguments));
        }
        catch (InvalidOperationException)
        {
            // An escaped half of a surrogate pair: told below.
        }
        throw Bad($"\"arguments\" of {at}", arguments, "Arguments are an object, its texts valid Unicode");
    }

    private static bool Has(JsonElement from, string name, out JsonElement value) =>
        from.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    private static JsonElement Member(JsonElement from, string name, string at) => from.TryGetProperty(name, out var value)
        ? value
        : throw new InvalidDataException($"{at} has no \"{name}\".");

    /// <summary>A JSON text; half a surrogate pair is refused.</summary>
    internal static string Text(JsonElement value, string at) => TextOrNull(value) ?? throw Bad(at, value, "It is a text of valid Unicode");

    private static string? TextOrNull(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // an escaped half of a surrogate pair
        }
    }

    private static InvalidDataException Bad(string what, JsonElement found, string rule)
    {
        var raw = found.GetRawText();
        return new InvalidDataException($"{what} is {(raw.Length > 80 ? raw[..80] + "…" : raw)}. {rule}.");
    }
}
