using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Every way a downloaded folder can be wrong, each a one-line refusal that names the file, the tensor and the rule.</summary>
public sealed class BrokenCheckpointTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private const string Query = "model.layers.1.self_attn.q_proj.weight";

    private readonly TemporaryFolder _folder = new();
    private readonly string _tiny;

    public BrokenCheckpointTests() => _tiny = TinyShapes.WriteSharded(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_unbroken_checkpoint_opens_and_has_several_shards()
    {
        CheckpointDirectory.Open(_tiny).Dispose();
        Assert.True(Directory.GetFiles(_tiny, "model-*-of-*.safetensors").Length > 2);
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Assert.Contains("does not exist", Refused<FileNotFoundException>("nowhere", Path.Combine(_tiny, "nowhere")));

    [Fact]
    public void A_file_in_place_of_the_folder_is_told() =>
        Assert.Contains("is a file", Refused<InvalidDataException>("config.json", Path.Combine(_tiny, "config.json")));

    [Theory]
    [InlineData("config.json")]
    [InlineData(Index)]
    public void Bytes_that_are_no_text_are_told(string file)
    {
        File.WriteAllBytes(Path.Combine(_tiny, file), [(byte)'{', 0xFF, 0xFE, (byte)'}']);
        Assert.Contains("no UTF-8", Refused(file));
    }

    [Fact]
    public void A_missing_config_is_named()
    {
        File.Delete(Path.Combine(_tiny, "config.json"));
        Assert.Contains("does not exist", Refused<FileNotFoundException>("config.json"));
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData(Index)]
    [InlineData("generation_config.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("checkpoint.json")]
    public void A_web_page_in_place_of_a_file_is_told(string file)
    {
        File.WriteAllText(Path.Combine(_tiny, file), "\n<!DOCTYPE html>\n<html><body>Log in</body></html>");
        Assert.Contains("HTML", Refused(file));
    }

    [Theory]
    [InlineData(Index)]
    [InlineData("generation_config.json")]
    [InlineData("checkpoint.json")]
    public void What_is_no_JSON_object_is_told(string file)
    {
        File.WriteAllText(Path.Combine(_tiny, file), "[1]");
        Assert.Contains("no JSON object", Refused(file));
        File.WriteAllText(Path.Combine(_tiny, file), "{\n\"a\": }");
        Assert.Contains("line 2", Refused(file));
    }

    [Fact]
    public void A_folder_without_weights_is_told()
    {
        foreach (var file in Directory.GetFiles(_tiny, "model*")) File.Delete(file);
        Refused<FileNotFoundException>("model.safetensors");
    }

    [Fact]
    public void A_folder_with_single_file_and_index_is_ambiguous()
    {
        File.WriteAllText(Path.Combine(_tiny, "model.safetensors"), "");
        Assert.Contains("one of them", Refused(Index));
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        File.Delete(ShardOf(Query));
        Assert.Contains(Index, Refused<FileNotFoundException>(Path.GetFileName(ShardOf(Query))));
    }

    [Fact]
    public void A_broken_link_to_a_shard_is_named()
    {
        var shard = ShardOf(Query);
        File.Delete(shard);
        File.CreateSymbolicLink(shard, Path.Combine(_folder.Path, "gone"));
        Refused<FileNotFoundException>(Path.GetFileName(shard));
    }

    [Fact]
    public void A_truncated_shard_is_named_with_both_lengths()
    {
        var shard = ShardOf(Query);
        var length = new FileInfo(shard).Length - 3;
        using (var file = File.OpenWrite(shard)) file.SetLength(length);
        Assert.Contains($"beyond the file's {length} bytes", Refused(Path.GetFileName(shard)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(200)]
    public void A_shard_cut_within_its_header_is_named(int length)
    {
        using (var file = File.OpenWrite(ShardOf(Query))) file.SetLength(length);
        Assert.Contains($"{length} bytes", Refused(Path.GetFileName(ShardOf(Query))));
    }

    [Fact]
    public void A_folder_in_place_of_a_shard_is_told()
    {
        var shard = ShardOf(Query);
        File.Delete(shard);
        Directory.CreateDirectory(shard);
        Refused<FileNotFoundException>(Path.GetFileName(shard));
    }

    [Fact]
    public void An_index_that_names_an_absent_tensor_is_refused()
    {
        var shard = Path.GetFileName(ShardOf(Query));
        ChangeIndex(map => map["model.layers.9.self_attn.q_proj.weight"] = shard);
        var fault = Refused(Index);
        Assert.Contains("\"model.layers.9.self_attn.q_proj.weight\"", fault);
        Assert.Contains($"\"{shard}\", which does not hold it", fault);
    }

    [Fact]
    public void An_index_that_does_not_list_a_tensor_is_refused()
    {
        ChangeIndex(map => map.Remove(Query));
        Assert.Contains("does not list it", Refused(Query));
    }

    [Fact]
    public void An_index_that_puts_a_tensor_in_another_shard_is_refused()
    {
        var other = Directory.GetFiles(_tiny, "model-*").Select(Path.GetFileName).First(name => name != Path.GetFileName(ShardOf(Query)));
        ChangeIndex(map => map[Query] = other);
        Assert.Contains($"puts it in \"{other}\"", Refused(Query));
    }

    [Theory]
    [InlineData("../escape.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("a\\b")]
    [InlineData("..")]
    [InlineData("")]
    public void An_index_cannot_lead_out_of_the_folder(string file)
    {
        ChangeIndex(map => map[Query] = file);
        Assert.Contains("no plain file name", Refused(Query));
    }

    [Fact]
    public void An_index_that_lists_a_tensor_twice_is_refused()
    {
        var path = Path.Combine(_tiny, Index);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"weight_map\": {", $"\"weight_map\": {{ \"{Query}\": \"x\",", StringComparison.Ordinal));
        Assert.Contains("twice", Refused(Query));
    }

    [Theory]
    [InlineData("{}", "no object \"weight_map\"")]
    [InlineData("{\"weight_map\":{}}", "empty")]
    public void An_index_without_tensors_is_refused(string index, string expected)
    {
        File.WriteAllText(Path.Combine(_tiny, Index), index);
        Assert.Contains(expected, Refused(Index));
    }

    [Fact]
    public void A_missing_tensor_is_named_and_the_others_counted()
    {
        Rename(Query, "model.layers.1.self_attn.x_proj.weight");
        Rename("model.norm.weight", "model.nrm.weight");
        var fault = Refused(Query);
        Assert.Contains("(and 1 more)", fault);
        Assert.Contains("missing", fault);
    }

    [Fact]
    public void An_unknown_tensor_is_named()
    {
        ChangeShard(ShardOf(Query), header => header["extra.weight"] = Entry("F32", [0], header));
        ChangeIndex(map => map["extra.weight"] = Path.GetFileName(ShardOf(Query)));
        Assert.Contains("is none of", Refused("extra.weight"));
    }

    [Fact]
    public void Vision_tensors_in_a_text_only_layout_are_unknown()
    {
        ChangeShard(ShardOf(Query), header => header["vision_model.class_embedding"] = Entry("BF16", [0], header));
        ChangeIndex(map => map["vision_model.class_embedding"] = Path.GetFileName(ShardOf(Query)));
        Refused("vision_model.class_embedding");
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("I16")]
    public void A_wrong_dtype_is_named(string type)
    {
        ChangeShard(ShardOf(Query), header => header[Query]!["dtype"] = type);
        var fault = Refused(Query);
        Assert.Contains($"\"{type}\"", fault);
        Assert.Contains("BF16 or F32", fault);
    }

    [Fact]
    public void A_wrong_shape_is_named_with_the_right_one()
    {
        ChangeShard(ShardOf("model.layers.1.feed_forward.experts.down_proj"), header =>
            header["model.layers.1.feed_forward.experts.down_proj"]!["shape"] = new JsonArray(2, 16, 12));
        var fault = Refused("model.layers.1.feed_forward.experts.down_proj");
        Assert.Contains("[2,16,12]", fault);
        Assert.Contains("[2,12,16]", fault);
    }

    [Fact]
    public void A_config_of_another_size_is_refused_by_name_and_shape()
    {
        ChangeConfig(config => config["vocab_size"] = 40);
        var fault = Refused("model.embed_tokens.weight");
        Assert.Contains("[32,16]", fault);
        Assert.Contains("[40,16]", fault);
    }

    [Fact]
    public void Data_that_cannot_be_read_in_place_is_refused()
    {
        var shard = ShardOf(Query);
        var (json, data) = ReadShard(shard);
        WriteShard(shard, json + (json.Length % 2 == 0 ? " " : ""), data);
        Assert.Contains("no multiple of its element's 2 bytes", Refused(Path.GetFileName(shard)));
    }

    [Theory]
    [InlineData("""{"do_sample": true, "temperature": -1}""", "\"temperature\"", "\"-1\"")]
    [InlineData("""{"do_sample": true, "top_p": 1.5}""", "\"top_p\"", "\"1.5\"")]
    [InlineData("""{"do_sample": true, "top_p": 0}""", "\"top_p\"", "\"0\"")]
    [InlineData("""{"do_sample": true, "top_k": 2.5}""", "\"top_k\"", "\"2.5\"")]
    [InlineData("""{"do_sample": true, "top_k": "all"}""", "\"top_k\"", "all")]
    [InlineData("""{"do_sample": 1}""", "\"do_sample\"", "true or false")]
    public void Wrong_sampling_defaults_are_named(string json, string name, string value)
    {
        File.WriteAllText(Path.Combine(_tiny, "generation_config.json"), json);
        var fault = Refused("generation_config.json");
        Assert.Contains(name, fault);
        Assert.Contains(value, fault);
    }

    [Fact]
    public void A_refused_checkpoint_leaves_no_file_open()
    {
        ChangeConfig(config => config["vocab_size"] = 40);
        Refused("model.embed_tokens.weight");
        foreach (var file in Directory.GetFiles(_tiny)) File.Open(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
    }

    private string Refused(string named) => Refused<InvalidDataException>(named);

    private string Refused<T>(string named, string? path = null) where T : Exception
    {
        var fault = Assert.Throws<T>(() => CheckpointDirectory.Open(path ?? _tiny)).Message;
        Assert.Contains(named, fault);
        Assert.DoesNotContain('\n', fault);
        Assert.EndsWith(".", fault);
        return fault;
    }

    private string ShardOf(string key) =>
        Path.Combine(_tiny, JsonNode.Parse(File.ReadAllText(Path.Combine(_tiny, Index)))!["weight_map"]![key]!.GetValue<string>());

    private void ChangeIndex(Action<JsonObject> change) => ChangeJson(Index, root => change(root["weight_map"]!.AsObject()));

    private void ChangeConfig(Action<JsonObject> change) => ChangeJson("config.json", change);

    private void ChangeJson(string file, Action<JsonObject> change)
    {
        var path = Path.Combine(_tiny, file);
        var root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(root);
        File.WriteAllText(path, root.ToJsonString());
    }

    private void Rename(string key, string newKey)
    {
        var shard = ShardOf(key);
        ChangeShard(shard, header =>
        {
            header[newKey] = header[key]!.DeepClone();
            header.Remove(key);
        });
        ChangeIndex(map =>
        {
            map.Remove(key);
            map[newKey] = Path.GetFileName(shard);
        });
    }

    /// <summary>An entry of no bytes behind all others.</summary>
    private static JsonObject Entry(string type, JsonArray shape, JsonObject header)
    {
        var end = header.Where(pair => pair.Key != "__metadata__").Max(pair => pair.Value!["data_offsets"]![1]!.GetValue<long>());
        return new JsonObject { ["dtype"] = type, ["shape"] = shape, ["data_offsets"] = new JsonArray(end, end) };
    }

    private static void ChangeShard(string path, Action<JsonObject> change)
    {
        var (json, data) = ReadShard(path);
        var header = JsonNode.Parse(json)!.AsObject();
        change(header);
        var text = header.ToJsonString();
        WriteShard(path, text + new string(' ', (8 - text.Length % 8) % 8), data);
    }

    private static (string Json, byte[] Data) ReadShard(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        return (Encoding.UTF8.GetString(bytes, 8, length), bytes[(8 + length)..]);
    }

    private static void WriteShard(string path, string json, byte[] data)
    {
        var header = Encoding.UTF8.GetBytes(json);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        File.WriteAllBytes(path, [.. length, .. header, .. data]);
    }
}
