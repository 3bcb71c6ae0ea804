using System.Text.Encodings.Web;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>Writes a tokenizer in Hugging Face's format (spec 5.2): what <see cref="LlamaTokenizer.Load"/> reads again.</summary>
internal static class TokenizerJsonWriter
{
    /// <summary>Hugging Face's list of special tokens ends before the reasoning and the general reserve.</summary>
    private const int AddedTokens = 1134;

    public static void Write(Stream stream, RankFile entries, int vocabularySize)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAdded(json, entries.Count, vocabularySize);
        json.WriteNull("normalizer");
        WriteRaw(json, "pre_tokenizer", new
        {
            type = "Sequence",
            pretokenizers = new object[]
            {
                new { type = "Split", pattern = new { Regex = TokenizerJson.Pattern }, behavior = "Isolated", invert = false },
                new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false },
            },
        });
        WriteRaw(json, "post_processor", PostProcessor(entries.Count));
        WriteRaw(json, "decoder", new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true });
        WriteModel(json, entries);
        json.WriteEndObject();
    }

    private static void WriteAdded(Utf8JsonWriter json, int first, int vocabularySize)
    {
        json.WriteStartArray("added_tokens");
        for (var offset = 0; offset < AddedTokens && first + offset < vocabularySize; offset++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", first + offset);
            json.WriteString("content", SpecialTokens.Names[offset]);
            foreach (var flag in (string[])["single_word", "lstrip", "rstrip", "normalized"]) json.WriteBoolean(flag, false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static object PostProcessor(int bos)
    {
        const string name = SpecialTokens.BeginOfText;
        object Token(int type) => new { SpecialToken = new { id = name, type_id = type } };
        object Text(string id, int type) => new { Sequence = new { id, type_id = type } };
        return new
        {
            type = "Sequence",
            processors = new object[]
            {
                new { type = "ByteLevel", add_prefix_space = true, trim_offsets = false, use_regex = true },
                new
                {
                    type = "TemplateProcessing",
                    single = new[] { Token(0), Text("A", 0) },
                    pair = new[] { Token(0), Text("A", 0), Token(1), Text("B", 1) },
                    special_tokens = new Dictionary<string, object> { [name] = new { id = name, ids = new[] { bos }, tokens = new[] { name } } },
                },
            },
        };
    }

    private static void WriteModel(Utf8JsonWriter json, RankFile entries)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (var key in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) json.WriteNull(key);
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", true);
        json.WriteStartObject("vocab");
        for (var id = 0; id < entries.Count; id++) json.WriteNumber(ByteLevel.Spell(entries[id].Span), id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in Merges(entries))
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Each entry of more than one byte as the two it joins, by rank.</summary>
    public static IEnumerable<(string Left, string Right)> Merges(RankFile entries)
    {
        var ranks = Enumerable.Range(0, entries.Count).ToDictionary(id => entries[id], ByteContent.Instance);
        for (var id = 0; id < entries.Count; id++)
        {
            if (entries[id].Length < 2) continue;
            var split = Split(entries[id], id, ranks);
            yield return (ByteLevel.Spell(entries[id].Span[..split]), ByteLevel.Spell(entries[id].Span[split..]));
        }
    }

    /// <summary>Where the last merge of an entry joins: BPE over its bytes with lower ranks only, which leaves two parts.</summary>
    private static int Split(ReadOnlyMemory<byte> entry, int rank, Dictionary<ReadOnlyMemory<byte>, int> ranks)
    {
        var ends = Enumerable.Range(1, entry.Length).ToList();
        while (ends.Count > 2)
        {
            var (best, at) = (rank, -1);
            for (var i = 0; i + 1 < ends.Count; i++)
            {
                var begin = i == 0 ? 0 : ends[i - 1];
                if (ranks.TryGetValue(entry[begin..ends[i + 1]], out var found) && found < best) (best, at) = (found, i);
            }
            if (at < 0)
                throw new InvalidDataException(
                    $"Tokenizer: entry {rank}, \"{ByteLevel.Spell(entry.Span)}\", is no merge of two entries before it, so no list of merges can hold it. Keep tokenizer.model.");
            ends.RemoveAt(at);
        }
        return ends[0];
    }

    private static void WriteRaw(Utf8JsonWriter json, string name, object value)
    {
        json.WritePropertyName(name);
        JsonSerializer.Serialize(json, value);
    }
}
