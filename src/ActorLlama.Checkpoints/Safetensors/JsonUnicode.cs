using System.Text.Json;
using System.Text.Unicode;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Text that .NET's JSON reader accepts at first and cannot turn into strings later: refused before anything is read from it.</summary>
internal static class JsonUnicode
{
    /// <summary>
    /// Throws <see cref="InvalidDataException"/> when bytes are no UTF-8 or an escape names half a character. Leaves other faults of
    /// the JSON to whoever parses it.
    /// </summary>
    public static void Require(ReadOnlySpan<byte> json, string file)
    {
        if (!Utf8.IsValid(json)) throw Fault(file, "bytes that are no UTF-8 text", null);
        var reader = new Utf8JsonReader(json);
        try
        {
            while (reader.Read())
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && reader.ValueIsEscaped) reader.GetString();
        }
        catch (InvalidOperationException fault)
        {
            throw Fault(file, "an escape that is half a character", fault);
        }
        catch (JsonException)
        {
            // Told with its place by the parser.
        }
    }

    private static InvalidDataException Fault(string file, string what, Exception? inner) =>
        new($"Checkpoint: the JSON of {Quote(file)} holds {what}. Download the file again.", inner);
}
