using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>Tells base from Instruct checkpoints.</summary>
public static class ChatTemplates
{
    /// <summary>
    /// <see cref="ChatTemplateKind.Chat"/> if the checkpoint folder carries a chat template: <c>chat_template.jinja</c>,
    /// <c>chat_template.json</c>, or that key in <c>tokenizer_config.json</c>.
    /// </summary>
    /// <exception cref="InvalidDataException"><c>tokenizer_config.json</c> is not a JSON object.</exception>
    public static ChatTemplateKind KindOf(string checkpointFolder)
    {
        var has = File.Exists(Path.Combine(checkpointFolder, "chat_template.jinja"))
            || File.Exists(Path.Combine(checkpointFolder, "chat_template.json"))
            || TokenizerConfigHasTemplate(Path.Combine(checkpointFolder, "tokenizer_config.json"));
        return has ? ChatTemplateKind.Chat : ChatTemplateKind.Completion;
    }

    private static bool TokenizerConfigHasTemplate(string path)
    {
        if (!File.Exists(path)) return false;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                return json.RootElement.TryGetProperty("chat_template", out var template) && template.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);
        }
        catch (JsonException)
        {
            // Told below, with the rule.
        }
        throw new InvalidDataException($"Chat template: \"{path}\" is not a JSON object. Download the file again.");
    }
}
