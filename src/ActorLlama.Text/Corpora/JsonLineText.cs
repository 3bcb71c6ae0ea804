using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>Reads JSON lines: the "text" of each is a document.</summary>
internal static class JsonLineText
{
    /// <exception cref="InvalidDataException">A line is no object with a "text".</exception>
    public static IEnumerable<TextBlock> Read(TextRange range)
    {
        using var file = new FileStream(range.Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        file.Position = range.Start;
        var line = new List<byte>();
        for (var at = range.Start; at < range.End;)
        {
            line.Clear();
            int value;
            var begin = at;
            while (at < range.End && (value = file.ReadByte()) >= 0)
            {
                at++;
                if (value == '\n') break;
                line.Add((byte)value);
            }
            if (at == begin) throw new InvalidDataException($"Text: \"{range.Path}\" ends at byte {at}; it had {range.End}. It was changed while it was read.");
            if (line.Exists(c => c is not ((byte)' ' or (byte)'\r' or (byte)'\t'))) yield return new TextBlock(TextOf(line.ToArray(), range.Path, begin), BeginsDocument: true, at - begin);
        }
    }

    private static string TextOf(ReadOnlyMemory<byte> line, string path, long offset)
    {
        var rule = $"Text: the line at byte {offset} of \"{path}\" is no {{\"text\": \"…\"}} in UTF-8. Each line of a .jsonl is one such object.";
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()!
                : throw new InvalidDataException(rule);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException(rule, e);
        }
    }
}
