using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class CheckpointInitializerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Wide enough for statistics.</summary>
    private static string Wide()
    {
        var shape = JsonNode.Parse(TinyShapes.Flat)!.AsObject();
        shape["hidden_size"] = 256;
        shape["num_attention_heads"] = 32;
        shape["intermediate_size"] = 320;
        shape["intermediate_size_mlp"] = 400;
        shape["vocab_size"] = 1024;
        return shape.ToJsonString();
    }

    [Fact]
    public void Threads_and_runs_change_no_bit()
    {
        CheckpointInitializer.Write(Wide(), 7, _folder.PathOf("one"), threads: 1);
        CheckpointInitializer.Write(Wide(), 7, _folder.PathOf("three"), threads: 3);
        foreach (var file in new[] { "model.safetensors", "config.json" })
            Assert.Equal(File.ReadAllBytes(_folder.PathOf("one", file)), File.ReadAllBytes(_folder.PathOf("three", file)));
    }

    [Fact]
    public void Shards_change_no_weight_and_no_identity()
    {
        CheckpointInitializer.Write(Wide(), 7, _folder.PathOf("single"));
        CheckpointInitializer.Write(Wide(), 7, _folder.PathOf("sharded"), shardBytes: 200_000);
        Assert.True(Directory.GetFiles(_folder.PathOf("sharded"), "*.safetensors").Length > 5);
        using var single = CheckpointDirectory.Open(_folder.PathOf("single"));
        using var sharded = CheckpointDirectory.Open(_folder.PathOf("sharded"));
        Assert.Equal(single.Digest, sharded.Digest);
        foreach (var parameter in ParameterTable.Of(single.Config).Parameters)
            Assert.True(Bits(single, parameter.Name).SequenceEqual(Bits(sharded, parameter.Name)), parameter.Name);
    }

    [Fact]
    public void Seeds_and_names_change_the_weights()
    {
        CheckpointInitializer.Write(Wide(), 7, _folder.PathOf("a"));
        CheckpointInitializer.Write(Wide(), 8, _folder.PathOf("b"));
        using var a = CheckpointDirectory.Open(_folder.PathOf("a"));
        using var b = CheckpointDirectory.Open(_folder.PathOf("b"));
        Assert.NotEqual(a.Digest, b.Digest);
        Assert.False(Bits(a, ParameterNames.AttnQ(0)).SequenceEqual(Bits(b, ParameterNames.AttnQ(0))));
        Assert.False(Bits(a, ParameterNames.AttnQ(0)).SequenceEqual(Bits(a, ParameterNames.AttnQ(1))));
        var experts = Bits(a, ParameterNames.ExpertsDown(1));
        Assert.False(experts[..(experts.Length / 2)].SequenceEqual(experts[(experts.Length / 2)..]));
    }

    /// <summary>Spec 7.3: variance 1/fan-in, kernels cut at ±2σ; the expert axis does not count as input.</summary>
    [Theory]
    [InlineData("text.embed.weight", 256, false)]
    [InlineData("text.lm_head.weight", 256, true)]
    [InlineData("text.layers.0.attn.q.weight", 256, true)]
    [InlineData("text.layers.0.mlp.down.weight", 400, true)]
    [InlineData("text.layers.1.moe.experts.gate_up", 256, true)]
    [InlineData("text.layers.1.moe.experts.down", 320, true)]
    [InlineData("text.layers.1.moe.shared.down.weight", 320, true)]
    public void Weights_have_the_mean_deviation_and_range_of_their_rule(string name, int fanIn, bool isTruncated)
    {
        CheckpointInitializer.Write(Wide(), 11, _folder.PathOf("wide"));
        using var checkpoint = CheckpointDirectory.Open(_folder.PathOf("wide"));
        var values = Floats(checkpoint, name);
        var sigma = 1 / Math.Sqrt(fanIn);
        Assert.True(values.Length > 60_000);
        var mean = values.Average(value => (double)value);
        var deviation = Math.Sqrt(values.Average(value => (double)value * value) - mean * mean);
        Assert.InRange(mean, -5 * sigma / Math.Sqrt(values.Length), 5 * sigma / Math.Sqrt(values.Length));
        Assert.InRange(deviation, 0.985 * sigma, 1.015 * sigma);
        var largest = values.Max(Math.Abs) / sigma;
        if (isTruncated) Assert.InRange(largest, 2.2, 2 / 0.87962566 * 1.005);
        else Assert.InRange(largest, 3, 6);
        // A unit normal has 68.3 % within one deviation; cut at ±2 and scaled, ±0.8796 of the original: 65.2 %.
        Assert.InRange(values.Count(value => Math.Abs(value) < sigma) / (double)values.Length, isTruncated ? 0.64 : 0.675, isTruncated ? 0.66 : 0.69);
    }

    [Fact]
    public void Neighbouring_weights_are_independent()
    {
        CheckpointInitializer.Write(Wide(), 3, _folder.PathOf("wide"));
        using var checkpoint = CheckpointDirectory.Open(_folder.PathOf("wide"));
        var values = Floats(checkpoint, ParameterNames.Embed);
        foreach (var lag in new[] { 1, 2, 3, 4, 8, 256, 1024 })
        {
            var correlation = Enumerable.Range(0, values.Length - lag).Average(i => (double)values[i] * values[i + lag]) * 256;
            Assert.InRange(correlation, -5 / Math.Sqrt(values.Length), 5 / Math.Sqrt(values.Length));
        }
    }

    [Fact]
    public void Norms_are_one()
    {
        using var checkpoint = CheckpointDirectory.Open(TinyShapes.WriteSingle(_folder.Path));
        foreach (var parameter in ParameterTable.Of(checkpoint.Config).Parameters.Where(parameter => parameter.Group == ParameterGroup.Norm))
            Assert.All(Floats(checkpoint, parameter.Name), value => Assert.Equal(1f, value));
    }

    /// <summary>Kept for good: a change of these bits makes every benchmark and every test on random weights incomparable.</summary>
    [Fact]
    public void The_first_weights_of_a_seed_stay_what_they_are()
    {
        using var checkpoint = CheckpointDirectory.Open(TinyShapes.WriteSingle(_folder.Path));
        Assert.Equal("3e11 3e15 3b8f 3b05 3e90 3ed2 3e3f bea1", string.Join(' ', Bits(checkpoint, ParameterNames.AttnQ(0))[..8].ToArray().Select(bits => $"{bits:x4}")));
    }

    [Fact]
    public void The_written_config_is_flat_and_says_what_the_shape_said()
    {
        var nested = new JsonObject
        {
            ["model_type"] = "llama4",
            ["architectures"] = new JsonArray("Llama4ForConditionalGeneration"),
            ["tie_word_embeddings"] = true,
            ["text_config"] = JsonNode.Parse(TinyShapes.Flat),
        };
        nested["text_config"]!.AsObject().Remove("tie_word_embeddings");
        CheckpointInitializer.Write(nested.ToJsonString(), 1, _folder.PathOf("nested"));
        using var checkpoint = CheckpointDirectory.Open(_folder.PathOf("nested"));
        Assert.Equivalent(LlamaConfigReader.Read(nested.ToJsonString()).Config, checkpoint.Config);
        Assert.True(checkpoint.Config.TieEmbeddings);
        var written = JsonNode.Parse(File.ReadAllText(_folder.PathOf("nested", "config.json")))!;
        Assert.Equal("llama4_text", (string?)written["model_type"]);
        Assert.Equal("Llama4ForCausalLM", (string?)written["architectures"]![0]);
        Assert.Equal("bfloat16", (string?)written["torch_dtype"]);
        Assert.Null(written["text_config"]);
    }

    [Theory]
    [InlineData("full", "holds \"note.txt\"")]
    [InlineData("file", "is a file")]
    public void A_target_in_use_is_refused_untouched(string target, string expected)
    {
        Directory.CreateDirectory(_folder.PathOf("full"));
        File.WriteAllText(_folder.PathOf("full", "note.txt"), "mine");
        File.WriteAllText(_folder.PathOf("file"), "mine");
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointInitializer.Write(TinyShapes.Flat, 1, _folder.PathOf(target)));
        Assert.Contains(expected, fault.Message);
        Assert.Equal("mine", File.ReadAllText(_folder.PathOf("full", "note.txt")));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [Theory]
    [InlineData("file/out", "cannot be made")]
    [InlineData("", "no name")]
    public void A_target_that_cannot_be_made_is_refused(string target, string expected)
    {
        File.WriteAllText(_folder.PathOf("file"), "mine");
        var path = target.Length == 0 ? "" : _folder.PathOf(target);
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => CheckpointInitializer.Write(TinyShapes.Flat, 1, path)).Message);
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void An_empty_folder_and_missing_parents_are_fine()
    {
        Directory.CreateDirectory(_folder.PathOf("empty"));
        CheckpointInitializer.Write(TinyShapes.Flat, 1, _folder.PathOf("empty") + "/");
        CheckpointInitializer.Write(TinyShapes.Flat, 1, _folder.PathOf("a", "b", "c"));
        CheckpointDirectory.Open(_folder.PathOf("empty")).Dispose();
        CheckpointDirectory.Open(_folder.PathOf("a", "b", "c")).Dispose();
    }

    [Fact]
    public void A_cancelled_write_leaves_nothing_behind()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => CheckpointInitializer.Write(
            Wide(), 1, _folder.PathOf("out"), threads: 1, progress: _ => cancellation.Cancel(), cancellation: cancellation.Token));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_shape_that_the_disk_cannot_hold_is_refused_with_both_numbers()
    {
        var shape = JsonNode.Parse(TinyShapes.Flat)!.AsObject();
        shape["num_local_experts"] = int.MaxValue;
        shape["hidden_size"] = 4096;
        shape["intermediate_size"] = 65536;
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointInitializer.Write(shape.ToJsonString(), 1, _folder.PathOf("out")));
        Assert.Matches(@"needs \d{19} bytes, the disk has \d+ free", fault.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void An_invalid_shape_is_refused_by_its_name()
    {
        var shape = JsonNode.Parse(TinyShapes.Flat)!.AsObject();
        shape["num_key_value_heads"] = 3;
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointInitializer.Write(shape.ToJsonString(), 1, _folder.PathOf("out"), "odd.json"));
        Assert.Contains("odd.json", fault.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private static ReadOnlySpan<ushort> Bits(Checkpoint checkpoint, string name) => MemoryMarshal.Cast<byte, ushort>(StoredBytes.Of(checkpoint.Get(name)));

    private static float[] Floats(Checkpoint checkpoint, string name) =>
        Array.ConvertAll(Bits(checkpoint, name).ToArray(), bits => BitConverter.UInt32BitsToSingle((uint)bits << 16));
}
