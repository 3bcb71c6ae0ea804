using System.Text.Encodings.Web;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>
/// The <c>tokenize</c> verb over JSON lines: <c>{"text"}</c> or <c>{"messages", "tool_prompt_format"?}</c> in, <c>{"ids"}</c> out; when
/// decoding <c>{"ids"}</c> in, <c>{"text"}</c> out. Text gets no BOS, a dialog gets its prompt format. A line with "messages" is a
/// dialog whatever else it has; other keys and empty lines are left alone.
/// </summary>
public static class TokenizeLines
{
    private static readonly JsonSerializerOptions s_readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="input">One JSON object a line.</param>
    /// <param name="output">Receives one line per object, in order.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="allowSpecial">True reads spellings of special tokens in "text" as these tokens; in "messages" they stay text.</param>
    /// <param name="decode">True reads ids and writes text.</param>
    /// <exception cref="InvalidDataException">A line is not as described; the message has its number, what was found, and the rule.</exception>
    public static void Run(TextReader input, TextWriter output, LlamaTokenizer tokenizer, bool allowSpecial = false, bool decode = false)
    {
        for (var number = 1; input.ReadLine() is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                using var json = JsonDocument.Parse(line);
                if (json.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidDataException("It is not a JSON object. A line is one object.");
                output.WriteLine(decode ? Decode(json.RootElement, tokenizer) : Encode(json.RootElement, tokenizer, allowSpecial));
            }
            catch (JsonException)
            {
                throw new InvalidDataException($"Tokenize: line {number}: \"{Shown(line)}\" is not JSON. A line is one object, such as {(decode ? "{\"ids\":[1,2]}" : "{\"text\":\"Hi\"}")}.");
            }
            catch (InvalidDataException error)
            {
                throw new InvalidDataException($"Tokenize: line {number}: {error.Message}", error);
            }
        }
    }

    private static string Encode(JsonElement line, LlamaTokenizer tokenizer, bool allowSpecial)
    {
        if (line.TryGetProperty("messages", out var messages))
        {
            var format = line.TryGetProperty("tool_prompt_format", out var name) ? ChatJson.ReadToolPromptFormat(name) : ToolPromptFormat.Json;
            return WithIds(new ChatFormat(tokenizer).EncodeDialog(ChatJson.ReadMessages(messages), format));
        }
        if (!line.TryGetProperty("text", out var text)) throw new InvalidDataException("It has neither \"text\" nor \"messages\". A line has one of them.");
        return WithIds(tokenizer.Encode(ChatJson.Text(text, "\"text\""), allowSpecial));
    }

    private static string WithIds(int[] ids) => $$"""{"ids":[{{string.Join(',', ids)}}]}""";

    private static string Decode(JsonElement line, LlamaTokenizer tokenizer)
    {
        if (!line.TryGetProperty("ids", out var ids) || ids.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException("It has no list \"ids\". With decoding a line is {\"ids\":[1,2]}.");
        var values = ids.EnumerateArray().Select(id => ReadId(id, tokenizer.VocabularySize)).ToArray();
        return $$"""{"text":{{JsonSerializer.Serialize(tokenizer.Decode(values), s_readable)}}}""";
    }

    private static int ReadId(JsonElement value, int vocabularySize) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id >= 0 && id < vocabularySize
            ? id
            : throw new InvalidDataException($"It has id {Shown(value.GetRawText())}. Ids are whole numbers from 0 to {vocabularySize - 1}.");

    private static string Shown(string text) => text.Length > 80 ? text[..80] + "…" : text;
}
