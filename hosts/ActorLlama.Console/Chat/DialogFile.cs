using System.Text.Encodings.Web;
using System.Text.Json;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>A dialog on disk, as JSON. Faults are <see cref="InvalidDataException"/>, <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
internal static class DialogFile
{
    private const string Format = "actorllama-dialog";
    private const int Version = 1;
    private const long LargestFile = 64 << 20;

    private static readonly JsonSerializerOptions s_options = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    private sealed record Saved(string? Format, int Version, string? Model, bool IsChat, string? System, Turn[]? Turns);

    private sealed record Turn(string? Role, string? Content);

    /// <summary>Writes under another name and renames: what was there before is whole until then. Only a saved dialog is replaced.</summary>
    public static void Save(string path, string model, ChatState state)
    {
        if (File.Exists(path)) _ = Read(path, $"Save: \"{path}\" exists and is no saved dialog. Choose another name.");
        var next = $"{path}.{Environment.ProcessId}.new";
        try
        {
            File.WriteAllText(next, JsonSerializer.Serialize(
                new Saved(Format, Version, model, state.IsChat, state.System, [.. state.Dialog.Select(t => new Turn(t.Role, t.Content))]), s_options) + "\n");
            File.Move(next, path, overwrite: true);
        }
        finally
        {
            File.Delete(next);
        }
    }

    /// <summary>The state with the file's dialog. A chat cannot go on where a model only completes.</summary>
    public static ChatState Load(string path, ChatState state)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"Load: file \"{path}\" does not exist.");
        var saved = Read(path, $"Load: \"{path}\" is no dialog that /save wrote.");
        if (saved.IsChat && !state.IsChat) throw new InvalidDataException($"Load: \"{path}\" is a chat; this model completes text.");
        return state with { System = state.IsChat ? saved.System : null, Dialog = [.. saved.Turns!.Select(t => new ChatTurn(t.Role!, t.Content!))] };
    }

    private static Saved Read(string path, string otherwise)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length <= LargestFile
                && JsonSerializer.Deserialize<Saved>(file, s_options) is { Format: Format, Version: Version, Turns: not null } saved
                && saved.Turns.All(t => t is { Role: "user" or "assistant", Content: not null }))
                return saved;
        }
        catch (JsonException)
        {
            // Said below.
        }

        throw new InvalidDataException(otherwise);
    }
}
