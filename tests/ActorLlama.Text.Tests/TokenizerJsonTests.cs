using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ActorLlama.TestKit;

namespace ActorLlama.Text.Tests;

public sealed class TokenizerJsonTests : IDisposable
{
    private static readonly Lazy<LlamaTokenizer> s_json = new(() => LlamaTokenizer.Load(Shared.PathOf("fixtures", "tokenizer", "tokenizer.json")));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact]
    public void Ids_equal_hugging_face_s_on_every_case()
    {
        var lines = File.ReadAllLines(Shared.PathOf("fixtures", "tokenizer", "hf-cases.jsonl"));
        Assert.Equal(301, lines.Length);
        var different = lines.Where(line =>
        {
            using var json = JsonDocument.Parse(line);
            var ids = s_json.Value.EncodeTemplate(json.RootElement.GetProperty("text").GetString()!);
            return !ids.SequenceEqual(json.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        }).Select(line => line[..Math.Min(80, line.Length)]);
        Assert.Empty(different);
    }

    [SharedFact]
    public void Written_from_the_model_it_equals_the_reference_s_file()
    {
        using var stream = new MemoryStream();
        Tokenizers.Full.WriteJson(stream);
        using var written = JsonDocument.Parse(stream.ToArray());
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Shared.PathOf("fixtures", "tokenizer", "tokenizer.json")));
        Assert.True(JsonElement.DeepEquals(expected.RootElement, written.RootElement));
    }

    [SharedFact]
    public void A_small_tokenizer_written_and_read_gives_the_same_ids()
    {
        var read = LlamaTokenizer.Load(Written(_ => { }), new TokenizerOptions(4096, 2048, [2049, 2055, 2056], 2066));
        foreach (var text in (string[])["", "To be, or not to be.", "Zo\u00eb \ud83d\ude00 naïve\r\n\r\n  x", "<|eot|> thou"])
        {
            Assert.Equal(Tokenizers.Bard.Encode(text), read.Encode(text));
            Assert.Equal(Tokenizers.Bard.EncodeTemplate(text), read.EncodeTemplate(text));
        }
        Assert.Equal(Tokenizers.Bard.SpecialId(SpecialTokens.EndOfTurn), read.SpecialId(SpecialTokens.EndOfTurn));
    }

    [SharedFact]
    public void Merges_in_the_old_spelling_are_read()
    {
        var path = Written(root => root["model"]!["merges"] = new JsonArray(
            [.. root["model"]!["merges"]!.AsArray().Select(pair => (JsonNode)$"{pair![0]} {pair[1]}")]));
        Assert.Equal(Tokenizers.Bard.Encode("Once more unto the breach"), LlamaTokenizer.Load(path).Encode("Once more unto the breach"));
    }

    [SharedTheory]
    [InlineData("""{"model": {"ignore_merges": false}}""", "ignore_merges")]
    [InlineData("""{"normalizer": {"type": "NFC"}}""", "normalizer")]
    [InlineData("""{"model": {"type": "Unigram"}}""", "Unigram")]
    [InlineData("""{"model": {"merges": []}}""", "there are 0 merges")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}}}""", "split pattern is \"x\"")]
    [InlineData("""{"added_tokens": [{"id": 3, "content": "<|a|>"}]}""", "Special tokens follow the entries")]
    [InlineData("""{"added_tokens": [{"id": 2048, "content": "bos"}]}""", "spelled <|NAME|>")]
    [InlineData("""{"model": {"vocab": {"a": 1}}}""", "The ids of 1 entries are 0 to 0")]
    public void A_tokenizer_that_is_not_llama_4_s_is_refused(string change, string what)
    {
        var path = Written(root => Merge(root, JsonNode.Parse(change)!.AsObject()));
        var fault = Assert.Throws<InvalidDataException>(() => LlamaTokenizer.Load(path));
        Assert.Contains(what, fault.Message);
        Assert.Contains("tokenizer.json", fault.Message);

        static void Merge(JsonObject target, JsonObject changes)
        {
            foreach (var (key, value) in changes)
                if (key == "model") Merge(target[key]!.AsObject(), value!.AsObject());
                else target[key] = value?.DeepClone();
        }
    }

    [Fact]
    public void What_is_no_json_is_refused()
    {
        File.WriteAllText(_folder.PathOf("tokenizer.json"), "<html>");
        Assert.Contains("no valid JSON at line 1", Assert.Throws<InvalidDataException>(() => LlamaTokenizer.Load(_folder.PathOf("tokenizer.json"))).Message);
    }

    private string Written(Action<JsonObject> change)
    {
        using var stream = new MemoryStream();
        Tokenizers.Bard.WriteJson(stream);
        var root = JsonNode.Parse(Encoding.UTF8.GetString(stream.ToArray()))!.AsObject();
        change(root);
        var path = _folder.PathOf("tokenizer.json");
        File.WriteAllText(path, root.ToJsonString());
        return path;
    }
}
