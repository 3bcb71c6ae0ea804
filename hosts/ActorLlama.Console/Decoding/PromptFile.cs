using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Cli;

/// <summary>The prompts of a file: a line of text each, or in a <c>.jsonl</c> an object with a text "prompt". Blank lines are none.</summary>
internal static class PromptFile
{
    /// <summary>Throws <see cref="InvalidDataException"/> for a file that is not there or holds no prompt, and for a line that is none.</summary>
    public static ImmutableArray<FilePrompt> Read(string path)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"Prompts: file \"{path}\" does not exist. Name a file with a prompt on each line.");
        var isJson = path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);
        ImmutableArray<FilePrompt> prompts =
        [
            .. File.ReadLines(path).Select((text, index) => new FilePrompt(index + 1, text)).Where(line => !string.IsNullOrWhiteSpace(line.Text))
                .Select(line => isJson ? line with { Text = PromptOf(line, path) } : line),
        ];
        return prompts.IsEmpty ? throw new InvalidDataException($"Prompts: file \"{path}\" holds none. Write one on each line.") : prompts;
    }

    private static string PromptOf(FilePrompt line, string path)
    {
        try
        {
            using var json = JsonDocument.Parse(line.Text);
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("prompt", out var prompt)
                && prompt.ValueKind == JsonValueKind.String && prompt.GetString() is { Length: > 0 } text) return text;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or half a surrogate pair in the text: told below.
        }
        throw new InvalidDataException($"Prompts: line {line.Number} of \"{path}\" is no object with a text \"prompt\".");
    }
}

/// <summary>A prompt and the line it stands on, counted from 1.</summary>
internal sealed record FilePrompt(int Number, string Text);
