using System.Text.Json.Nodes;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class CheckpointIdentityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _tiny;

    public CheckpointIdentityTests() => _tiny = TinyShapes.WriteSingle(_folder.Path);

    public void Dispose() => _folder.Dispose();

    private string Digest()
    {
        using var checkpoint = CheckpointDirectory.Open(_tiny);
        return checkpoint.Digest;
    }

    [Fact]
    public void It_is_64_hexadecimal_digits_and_repeats()
    {
        Assert.Matches("^[0-9a-f]{64}$", Digest());
        Assert.Equal(Digest(), Digest());
    }

    /// <summary>Base and Instruct have equal headers: values must count, those of every single expert too.</summary>
    [Theory]
    [InlineData("text.layers.1.moe.experts.gate_up", 0)]
    [InlineData("text.layers.1.moe.experts.gate_up", 1)]
    [InlineData("text.layers.1.moe.experts.down", 1)]
    [InlineData("text.layers.0.ffn_norm.weight", 0)]
    public void One_changed_weight_of_any_tensor_or_expert_changes_it(string name, int expert)
    {
        var before = Digest();
        long offset;
        using (var shards = ShardSet.Open(_tiny))
        {
            var entry = shards.Find(new HuggingFaceNames(false).KeyOf(name))!.Value.Entry;
            offset = entry.Offset + expert * (entry.Bytes / entry.Shape[0]) + 1;
        }
        using (var file = File.OpenHandle(Path.Combine(_tiny, "model.safetensors"), FileMode.Open, FileAccess.ReadWrite))
        {
            var value = new byte[1];
            RandomAccess.Read(file, value, offset);
            RandomAccess.Write(file, [(byte)(value[0] ^ 1)], offset);
        }
        Assert.NotEqual(before, Digest());
    }

    [Fact]
    public void A_config_that_computes_otherwise_changes_it_and_another_spelling_does_not()
    {
        var before = Digest();
        var path = Path.Combine(_tiny, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["transformers_version"] = "5.0.0";
        File.WriteAllText(path, config.ToJsonString());
        Assert.Equal(before, Digest());
        config["rope_theta"] = 10000;
        File.WriteAllText(path, config.ToJsonString());
        Assert.NotEqual(before, Digest());
    }

    [Fact]
    public void A_manifest_decides_where_there_is_one()
    {
        var before = Digest();
        File.WriteAllText(Path.Combine(_tiny, "checkpoint.json"), """{"step": 1}""");
        var first = Digest();
        Assert.NotEqual(before, first);
        File.WriteAllText(Path.Combine(_tiny, "checkpoint.json"), """{"step": 2}""");
        Assert.NotEqual(first, Digest());
    }
}
