using System.Text;
using System.Text.Json;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Small JSON files beside the weights.</summary>
internal static class JsonFile
{
    /// <summary>Far above any index of a real checkpoint; below what would hurt.</summary>
    private const long LongestFile = 256L << 20;

    /// <summary>
    /// The file's text. Throws <see cref="FileNotFoundException"/> when absent, <see cref="InvalidDataException"/> when it is absurdly long or no text.
    /// </summary>
    public static string ReadText(string path)
    {
        using var file = MappedFile.Open(path);
        if (file.Length > LongestFile)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} has {file.Length} bytes, a JSON file of a checkpoint at most {LongestFile}. "
                + "Download the file again.");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        var text = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsSpan(Encoding.UTF8.Preamble.Length) : bytes;
        JsonUnicode.Require(text, path);
        return Encoding.UTF8.GetString(text);
    }

    /// <summary>The file as a JSON object. The caller disposes the document.</summary>
    public static JsonDocument ReadObject(string path)
    {
        var text = ReadText(path);
        if (text.AsSpan().TrimStart().StartsWith("<"))
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} holds a web page (HTML), not JSON: "
                + "a download saved an error or log-in page. Download the file again.");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} is no valid JSON at line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}. "
                + "Download the file again.", fault);
        }
        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        document.Dispose();
        throw new InvalidDataException($"Checkpoint: {Quote(path)} holds no JSON object. Download the file again.");
    }
}
