using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Meta's layout in the other spellings that its loaders understand (spec 3.2), and what its <c>params.json</c> cannot say.</summary>
public sealed class MetaSpellingTests : IDisposable
{
    private const int Parts = 2;

    private static readonly RandomModel Model = new(2, 3, 2, true, 8, 4, 24, 7);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Parts)]
    [InlineData(8)]
    public void Other_spellings_are_the_same_model(int parts)
    {
        WriteMeta(parts);
        Respell(parts, (key, view) => key switch
        {
            _ when key.EndsWith("wqkv.weight", StringComparison.Ordinal) => Apart(key, view, parts),
            _ when key.EndsWith("mlp.fc1_weight", StringComparison.Ordinal) => [(key.Replace("mlp.fc1_weight", "w1.weight"), view.SplitFirst(2).At(0)), (key.Replace("mlp.fc1_weight", "w3.weight"), view.SplitFirst(2).At(1))],
            _ when Regex.Match(key, @"experts\.moe_w_(in|swiglu|out)_e") is { Success: true } match => [(Renamed(key), view.SplitFirst(Model.Experts))],
            _ => [(Renamed(key), view)],
        });
        RequireSame();
        using var meta = CheckpointDirectory.Open(_folder.PathOf("meta"));
        Assert.Contains(meta.Tensors, tensor => tensor.View.Name == "layers.1.feed_forward.experts.w1");
    }

    [Fact]
    public void Positions_with_the_class_row_first_are_turned()
    {
        WriteMeta(1);
        Respell(1, (key, view) => key.EndsWith("positional_embedding_vlm", StringComparison.Ordinal)
            ? [(ClassRowFirst.Key, TensorView.Join(0, [view.Slice(0, 4, 1), view.Slice(0, 0, 4)]))]
            : [(key, view)]);
        RequireSame();
    }

    [Fact]
    public void Positions_of_another_number_of_patches_are_refused()
    {
        WriteMeta(1);
        Respell(1, (key, view) => key.EndsWith("positional_embedding_vlm", StringComparison.Ordinal) ? [(ClassRowFirst.Key, view.Slice(0, 0, 4))] : [(key, view)]);
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("meta")));
        Assert.Contains($"\"{ClassRowFirst.Key}\"", fault.Message);
        Assert.Contains("[4,16]", fault.Message);
        Assert.Contains("5 rows", fault.Message);
    }

    [SharedFact]
    public void What_params_cannot_say_is_refused_without_the_config_that_says_it()
    {
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("meta"), new ConversionOptions { Layout = LayoutNames.Meta, MetaParts = 2 });
        CheckpointDirectory.Open(_folder.PathOf("meta")).Dispose();
        File.Delete(_folder.PathOf("meta", "config.json"));
        File.Delete(_folder.PathOf("meta", Manifest.FileName));
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("meta")));
        // The original RoPE context, 64 instead of 8192.
        Assert.Contains("\"rope_scaling\"", fault.Message);
        Assert.Contains("\"config.json\", which is missing", fault.Message);
    }

    [SharedFact]
    public void What_params_can_say_needs_no_config()
    {
        // Layers of a list that follows the step, the longest context that is assumed, no scaling: nothing is lost.
        Directory.CreateDirectory(_folder.PathOf("source"));
        foreach (var file in Directory.GetFiles(Shared.PathOf("fixtures/tiny-maverick"))) File.Copy(file, _folder.PathOf("source", Path.GetFileName(file)));
        var config = JsonNode.Parse(File.ReadAllText(_folder.PathOf("source", "config.json")))!;
        config["text_config"]!["max_position_embeddings"] = 262144;
        File.WriteAllText(_folder.PathOf("source", "config.json"), config.ToJsonString());
        CheckpointConverter.Run(_folder.PathOf("source"), _folder.PathOf("meta"), new ConversionOptions { Layout = LayoutNames.Meta, MetaParts = 2 });
        File.Delete(_folder.PathOf("meta", "config.json"));
        File.Delete(_folder.PathOf("meta", Manifest.FileName));
        using var source = CheckpointDirectory.Open(_folder.PathOf("source"));
        using var meta = CheckpointDirectory.Open(_folder.PathOf("meta"));
        Assert.Equal(source.Digest, meta.Digest);
    }

    private void WriteMeta(int parts)
    {
        Model.Write(_folder.PathOf("hf"));
        CheckpointConverter.Run(_folder.PathOf("hf"), _folder.PathOf("meta"), new ConversionOptions { Layout = LayoutNames.Meta, MetaParts = parts });
        File.Delete(_folder.PathOf("meta", Manifest.FileName));
    }

    private void Respell(int parts, Func<string, TensorView, IEnumerable<(string Key, TensorView View)>> respelled)
    {
        for (var rank = 0; rank < parts; rank++)
        {
            var path = _folder.PathOf("meta", MetaShards.NameOf(rank));
            using (var file = PthFile.Open(path))
                PthWriter.Write(path + ".new", [.. file.Keys.SelectMany(key => respelled(key, file.Find(key)!))], null, _ => { }, default);
            File.Move(path + ".new", path, overwrite: true);
        }
    }

    /// <summary>Query, key and value rows under keys of their own.</summary>
    private static IEnumerable<(string Key, TensorView View)> Apart(string key, TensorView view, int parts)
    {
        long queries = Model.Heads * 8 / parts, keys = Math.Max(1, Model.KvHeads / parts) * 8;
        yield return (key.Replace("wqkv", "wq"), view.Slice(0, 0, queries));
        yield return (key.Replace("wqkv", "wk"), view.Slice(0, queries, keys));
        yield return (key.Replace("wqkv", "wv"), view.Slice(0, queries + keys, keys));
    }

    private static string Renamed(string key)
    {
        foreach (var (one, other) in (ReadOnlySpan<(string, string)>)
        [
            ("attention.wqkv.layer_norm_weight", "attention_norm.weight"), ("feed_forward.norm.weight", "ffn_norm.weight"), ("feed_forward.mlp.layer_norm_weight", "ffn_norm.weight"),
            ("mlp.fc2_weight", "w2.weight"), ("moe_w_in_eD_F", "w1"), ("moe_w_swiglu_eD_F", "w3"), ("moe_w_out_eF_D", "w2"), ("w_in_shared_FD", "shared_expert.w1"),
            ("w_swiglu_FD", "shared_expert.w3"), ("w_out_shared_DF", "shared_expert.w2"), ("vision_embeddings.vision_adapter", "vision_adapter"),
        ])
            if (key.Contains(one, StringComparison.Ordinal)) return key.Replace(one, other);
        return key;
    }

    private void RequireSame()
    {
        var differences = CheckpointComparison.Of(_folder.PathOf("hf"), _folder.PathOf("meta")).ToList();
        Assert.NotEmpty(differences);
        Assert.All(differences, tensor => Assert.True(tensor.IsEqual, tensor.ToString()));
    }
}
