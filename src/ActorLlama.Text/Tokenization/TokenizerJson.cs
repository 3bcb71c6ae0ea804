using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace ActorLlama.Text;

/// <summary>
/// Hugging Face's <c>tokenizer.json</c> of a Llama 4 tokenizer (spec 5.2), read strictly: byte-level BPE whose merges are those of the ranks, Llama 4's
/// split pattern, special tokens behind the entries, a template that puts tokens in front. Anything else would give other ids, so it is refused.
/// </summary>
internal sealed class TokenizerJson
{
    /// <summary>The pattern of spec 5.1 as one line.</summary>
    public const string Pattern =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private readonly string _path;
    private readonly JsonElement _root;

    private TokenizerJson(string path, JsonElement root)
    {
        (_path, _root) = (path, root);
        var model = Object(root, "model");
        RequireBytePairs(model);
        var entries = ReadEntries(Object(model, "vocab"));
        RequireMerges(model, entries);
        RankFile = ToRankFile(entries);
        Added = ReadAdded(entries.Length);
        RequirePattern();
        Prefix = ReadPrefix();
    }

    /// <summary>The entries as text of a <c>tokenizer.model</c>.</summary>
    public byte[] RankFile { get; }

    /// <summary>Special tokens with their ids.</summary>
    public ImmutableArray<(string Name, int Id)> Added { get; }

    /// <summary>Ids that the post-processor puts in front of a text.</summary>
    public ImmutableArray<int> Prefix { get; }

    /// <exception cref="InvalidDataException">The file is no JSON, or no tokenizer of Llama 4; the message names what was found and the rule.</exception>
    public static TokenizerJson Parse(byte[] file, string path)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(file);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException(
                $"Tokenizer: \"{path}\" is no valid JSON at line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}. Download the file again.", fault);
        }
        using (document) return new TokenizerJson(path, document.RootElement);
    }

    private void RequireBytePairs(JsonElement model)
    {
        if (Text(model, "type") is not (null or "BPE")) throw Bad($"\"model.type\" is \"{Text(model, "type")}\"", "It is \"BPE\".");
        foreach (var key in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            if (model.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null && !(value.ValueKind == JsonValueKind.String && value.GetString()!.Length == 0))
                throw Bad($"\"model.{key}\" is {Shown(value)}", "Llama 4 has none.");
        if (!(model.TryGetProperty("ignore_merges", out var ignore) && ignore.ValueKind == JsonValueKind.True))
            throw Bad("\"model.ignore_merges\" is not true", "Llama 4 takes a piece that is a token whole.");
        if (_root.TryGetProperty("normalizer", out var normalizer) && normalizer.ValueKind != JsonValueKind.Null)
            throw Bad($"\"normalizer\" is {Shown(normalizer)}", "Llama 4 changes no text before it is split.");
    }

    private byte[][] ReadEntries(JsonElement vocab)
    {
        var entries = new byte[vocab.GetPropertyCount()][];
        foreach (var entry in vocab.EnumerateObject())
        {
            var bytes = ByteLevel.Read(entry.Name);
            if (bytes is null or []) throw Bad($"entry \"{entry.Name}\" spells no bytes", "Each character of an entry stands for one byte.");
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id < 0 || id >= entries.Length || entries[id] is not null)
                throw Bad($"entry \"{entry.Name}\" has id {Shown(entry.Value)}", $"The ids of {entries.Length} entries are 0 to {entries.Length - 1}, each once.");
            entries[id] = bytes;
        }
        return entries;
    }

    /// <summary>BPE by ranks is BPE by merges exactly when merge after merge makes the entry of the next rank.</summary>
    private void RequireMerges(JsonElement model, byte[][] entries)
    {
        if (!model.TryGetProperty("merges", out var merges) || merges.ValueKind != JsonValueKind.Array) throw Bad("\"model.merges\" is missing", "It lists the merges.");
        using var made = Enumerable.Range(0, entries.Length).Where(id => entries[id].Length > 1).GetEnumerator();
        var index = 0;
        foreach (var merge in merges.EnumerateArray())
        {
            var (left, right) = Pair(merge, index);
            if (!made.MoveNext()) throw Bad($"merge {index} is one too many", "There is one merge per entry of several bytes.");
            if (ByteLevel.Read(left + right) is not { } bytes || !bytes.AsSpan().SequenceEqual(entries[made.Current]))
                throw Bad($"merge {index} makes \"{left + right}\"", $"Merges follow the ids, so it makes \"{ByteLevel.Spell(entries[made.Current])}\".");
            index++;
        }
        if (made.MoveNext()) throw Bad($"there are {index} merges", "There is one merge per entry of several bytes.");
    }

    /// <summary>Old files write "left right", new ones ["left", "right"].</summary>
    private (string Left, string Right) Pair(JsonElement merge, int index)
    {
        if (merge.ValueKind == JsonValueKind.String && merge.GetString()!.Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right]) return (left, right);
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2
            && merge[0].ValueKind == JsonValueKind.String && merge[1].ValueKind == JsonValueKind.String) return (merge[0].GetString()!, merge[1].GetString()!);
        throw Bad($"merge {index} is {Shown(merge)}", "A merge is two texts.");
    }

    private ImmutableArray<(string Name, int Id)> ReadAdded(int entries)
    {
        if (!_root.TryGetProperty("added_tokens", out var list) || list.ValueKind != JsonValueKind.Array) return [];
        var added = ImmutableArray.CreateBuilder<(string Name, int Id)>();
        foreach (var token in list.EnumerateArray())
        {
            var name = Text(token, "content") ?? throw Bad($"an added token is {Shown(token)}", "It has \"content\" and \"id\".");
            if (!name.StartsWith("<|", StringComparison.Ordinal) || !name.EndsWith("|>", StringComparison.Ordinal) || name.Length < 5)
                throw Bad($"added token \"{name}\" is spelled so", "A special token is spelled <|NAME|>.");
            if (!token.TryGetProperty("id", out var id) || !id.TryGetInt32(out var value) || value < entries || value >= entries + 2 * SpecialTokens.Count)
                throw Bad($"added token \"{name}\" has id {Shown(id)}", $"Special tokens follow the entries, from {entries} on.");
            foreach (var flag in (string[])["single_word", "lstrip", "rstrip"])
                if (token.TryGetProperty(flag, out var set) && set.ValueKind == JsonValueKind.True) throw Bad($"added token \"{name}\" has \"{flag}\"", "Llama 4's take no text around them.");
            if (added.Any(other => other.Id == value)) throw Bad($"added token \"{name}\" has the id {value} of another", "Each id is one token.");
            added.Add((name, value));
        }
        return added.Select(token => token.Name).Distinct(StringComparer.Ordinal).Count() == added.Count
            ? added.ToImmutable()
            : throw Bad("an added token appears twice", "Each spelling is one token.");
    }

    private void RequirePattern()
    {
        var patterns = Steps("pre_tokenizer", "pretokenizers").Where(step => Text(step, "type") == "Split").Select(step => Text(Object(step, "pattern"), "Regex")).ToList();
        if (patterns is not [Pattern]) throw Bad($"the split pattern is \"{string.Join("\", \"", patterns)}\"", "It is Llama 4's.");
    }

    private ImmutableArray<int> ReadPrefix()
    {
        if (Steps("post_processor", "processors").Where(step => Text(step, "type") == "TemplateProcessing").ToList() is not [var template]) return [];
        var prefix = ImmutableArray.CreateBuilder<int>();
        var isText = false;
        if (!template.TryGetProperty("single", out var single) || single.ValueKind != JsonValueKind.Array) throw Bad("the template of the post-processor is missing", "It lists tokens and text.");
        foreach (var part in single.EnumerateArray())
            if (part.TryGetProperty("Sequence", out _)) isText = true;
            else if (!isText && part.TryGetProperty("SpecialToken", out var token) && Text(token, "id") is { } name && Added.Any(added => added.Name == name))
                prefix.Add(Added.First(added => added.Name == name).Id);
            else throw Bad($"the template of the post-processor has {Shown(part)}", "Llama 4's puts special tokens in front of the text, and none behind.");
        return prefix.ToImmutable();
    }

    /// <summary>The steps of a sequence, or the one step that stands alone.</summary>
    private List<JsonElement> Steps(string key, string list)
    {
        if (!_root.TryGetProperty(key, out var step) || step.ValueKind != JsonValueKind.Object) return [];
        return step.TryGetProperty(list, out var steps) && steps.ValueKind == JsonValueKind.Array ? [.. steps.EnumerateArray()] : [step];
    }

    private static byte[] ToRankFile(byte[][] entries)
    {
        var text = new StringBuilder(entries.Length * 20);
        for (var id = 0; id < entries.Length; id++) text.Append(Convert.ToBase64String(entries[id])).Append(' ').Append(id).Append('\n');
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private JsonElement Object(JsonElement parent, string key) => parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Object
        ? value
        : throw Bad($"there is no object \"{key}\"", "A tokenizer of Llama 4 has one.");

    private static string? Text(JsonElement parent, string key) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Shown(JsonElement value)
    {
        var text = value.ValueKind == JsonValueKind.Undefined ? "missing" : value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= 60 ? text : text[..57] + "...";
    }

    private InvalidDataException Bad(string found, string rule) => new($"Tokenizer: in \"{_path}\" {found}. {rule} Use the tokenizer of a Llama 4 checkpoint.");
}
