using System.Text.Encodings.Web;
using System.Text.Json;

namespace ActorLlama.Cli;

/// <summary>One line of JSON on standard output, flushed. Names are written as they are.</summary>
internal static class JsonLine
{
    private static readonly JsonSerializerOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The line as UTF-8, without its end.</summary>
    public static byte[] Bytes(object value) => JsonSerializer.SerializeToUtf8Bytes(value, s_options);

    public static void Write(object value)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, s_options));
        Console.Out.Flush();
    }
}
