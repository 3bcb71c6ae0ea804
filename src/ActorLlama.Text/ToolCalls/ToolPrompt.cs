using System.Text;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>
/// Tells a model of its tools in the words of its published chat template (spec 5.3): a line at the head of the system message, if there is
/// one, and instructions with the definitions before the first user message.
/// </summary>
public static class ToolPrompt
{
    private const string Environment = "Environment: ipython\n";

    private const string Instructions =
        "Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\n"
        + "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}.Do not use variables.\n\n";

    /// <summary>The dialog with its tools told of; without tools the dialog as it is.</summary>
    /// <exception cref="InvalidDataException">A definition is not complete, two have one name, or no message is the user's.</exception>
    public static IReadOnlyList<ChatMessage> AddTools(IReadOnlyList<ChatMessage> messages, IReadOnlyList<ToolDefinition> tools)
    {
        if (tools.Count == 0) return messages;
        var text = new StringBuilder(Instructions);
        foreach (var tool in tools) Define(text, tool);
        if (tools.GroupBy(tool => tool.Name).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new InvalidDataException($"Tools: \"{twice.Key}\" is defined {twice.Count()} times. Give each tool a name of its own.");
        var told = messages.ToArray();
        if (told is [{ Role: ChatRole.System } system, ..]) told[0] = Prepend(system, Environment);
        var user = Array.FindIndex(told, message => message.Role == ChatRole.User);
        if (user < 0) throw new InvalidDataException("Tools: their definitions stand before the first message of the user, and there is none. Add one.");
        told[user] = Prepend(told[user], text.ToString());
        return told;
    }

    /// <summary>Joined with a text that starts the message: the template has them in one piece.</summary>
    private static ChatMessage Prepend(ChatMessage message, string text) => message with
    {
        Content = message.Content is [ContentPart.Text first, .. var rest]
            ? [new ContentPart.Text(text + first.Value), .. rest]
            : [new ContentPart.Text(text), .. message.Content],
    };

    private static void Define(StringBuilder to, ToolDefinition tool)
    {
        if (tool.Name.Length == 0) throw new InvalidDataException("Tools: a tool has no name. Give it one.");
        try
        {
            using var parameters = JsonDocument.Parse(tool.ParametersJson);
            if (parameters.RootElement.ValueKind == JsonValueKind.Object)
            {
                to.Append("{\n    \"type\": \"function\",\n    \"function\": {\n        \"name\": ").Append(PythonText.UnicodeString(tool.Name))
                    .Append(",\n        \"description\": ").Append(PythonText.UnicodeString(tool.Description))
                    .Append(",\n        \"parameters\": ").Append(PythonText.IndentedJson(parameters.RootElement, depth: 2)).Append("\n    }\n}\n\n");
                return;
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // No JSON, or half a surrogate pair in a text: told below.
        }
        throw new InvalidDataException($"Tools: the parameters of \"{tool.Name}\" are \"{tool.ParametersJson}\". They are a JSON schema: an object, its texts valid Unicode.");
    }
}
