using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>The golden files through real processes: within tolerance everywhere, and the same bits on every topology.</summary>
public sealed class VerifyTests
{
    [SharedTheory]
    [InlineData("tiny-scout", "tiny-maverick", "--nodes 3 --expert-shards 2 --stages 2", "--nodes 3 --expert-shards 4 --stages 4 actorllama.model.weight-memory=mapped")]
    [InlineData("tiny-maverick", "tiny-scout", "--nodes 3 --expert-shards 8 --stages 2", "--nodes 3 --expert-shards 4 actorllama.model.weight-memory=mapped", "--nodes 3 --expert-shards 2")]
    public async Task Every_topology_gives_the_golden_tokens_and_the_same_bits(string model, string other, params string[] topologies)
    {
        var one = await OneNodeAsync(model, other);
        Assert.True(one.GetProperty("decode").GetProperty("tokens_equal").GetBoolean());
        foreach (var topology in topologies)
        {
            var spread = await PassAsync(model, ["--model", ModelOf(model), .. topology.Split(' ')]);
            Assert.Equal(one.GetProperty("logits_sha256").GetString(), spread.GetProperty("logits_sha256").GetString());
            Assert.All(spread.GetProperty("shards").EnumerateArray(), s => Assert.True(s.GetProperty("rows").GetInt64() > 0));
            Assert.Equal(3, spread.GetProperty("nodes").GetArrayLength());
            Assert.All(spread.GetProperty("nodes").EnumerateArray(), n => Assert.True(n.GetProperty("lane_bytes_sent").GetInt64() > 0));
        }
    }

    [SharedTheory]
    [InlineData("tiny-maverick", "--nodes 1 --dtype bfloat16")]
    [InlineData("tiny-scout", "--nodes 3 --dtype bfloat16 actorllama.model.weight-memory=mapped")]
    [InlineData("tiny-scout", "--nodes 1 --backend torch")]
    public async Task Bfloat16_and_the_other_backend_are_within_tolerance(string model, string options) =>
        await PassAsync(model, ["--model", ModelOf(model), .. options.Split(' ')]);

    /// <summary>The report of one node. Another model's golden file fails there.</summary>
    private static async Task<JsonElement> OneNodeAsync(string model, string other)
    {
        await using var cluster = await Attachment.ToOwnAsync(new LocalClusterOptions(1, ModelOf(model)), CancellationToken.None);
        var failed = await InProcess.RunAsync(["verify", "--cluster", cluster.Connection.Address, "--golden", GoldenOf(other), "--json"]);
        Assert.Equal(CommandLine.Failed, failed.ExitCode);
        using var json = JsonDocument.Parse(failed.LastLine);
        Assert.False(json.RootElement.GetProperty("passed").GetBoolean());
        Assert.NotEqual(0, json.RootElement.GetProperty("faults").GetArrayLength());
        return await PassAsync(model, ["--cluster", cluster.Connection.Address]);
    }

    private static string ModelOf(string model) => Shared.PathOf("fixtures", model);

    private static string GoldenOf(string model) => Shared.PathOf("fixtures", model, "expected.safetensors");

    private static async Task<JsonElement> PassAsync(string model, string[] arguments)
    {
        var ended = await InProcess.RunAsync(["verify", "--golden", GoldenOf(model), .. arguments, "--json"]);
        Assert.True(ended.ExitCode == 0, $"{model} {string.Join(' ', arguments)}: {ended.Error} {ended.Output}");
        using var json = JsonDocument.Parse(ended.LastLine);
        Assert.True(json.RootElement.GetProperty("passed").GetBoolean());
        return json.RootElement.Clone();
    }
}
