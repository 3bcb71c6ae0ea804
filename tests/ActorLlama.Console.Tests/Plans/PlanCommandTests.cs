using System.Text.Json;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary><c>plan</c> for the real sizes, in words and as JSON, and that the settings files for GPUs agree with it.</summary>
public sealed class PlanCommandTests
{
    private const string Scout = "llama4-17b-16e";
    private const string Maverick = "llama4-17b-128e";

    [Theory]
    [InlineData(Scout, "4x80GiB", 4, 1, 107_769_861_120)]
    [InlineData(Scout, "8x80GiB", 8, 1, 107_769_861_120)]
    [InlineData(Maverick, "16x80GiB", 16, 2, 400_711_848_960)]
    [InlineData(Maverick, "32x80GiB", 32, 4, 400_711_848_960)]
    public async Task Llama_4_fits_on_these_devices_of_80_GiB(string model, string devices, int shards, int nodes, long parameters)
    {
        var plan = await PlanAsync("--model-name", model, "--devices", devices);
        var each = plan.GetProperty("devices").EnumerateArray().ToArray();
        Assert.Equal(shards, each.Length);
        Assert.Equal(nodes, each.Select(d => d.GetProperty("node").GetString()).Distinct().Count());
        Assert.Equal(2 * parameters, plan.GetProperty("weight_bytes").GetInt64());
        foreach (var device in each)
        {
            var parts = Parts(device, "stages").Concat(Parts(device, "shards")).Sum(p => p.GetProperty("weight_bytes").GetInt64());
            Assert.Equal(parts, Bytes(device, "stage_bytes") + Bytes(device, "shard_bytes"));
            Assert.Equal(80L << 30, parts + Bytes(device, "kv_bytes") + Bytes(device, "free_bytes"));
            Assert.True(Bytes(device, "free_bytes") >= 0);
        }

        Assert.Equal(Enumerable.Range(0, 48), each.SelectMany(d => Parts(d, "stages")).SelectMany(s => Run(s, "first_layer", "layers")));
        Assert.Equal(
            Enumerable.Range(0, model == Scout ? 16 : 128),
            each.SelectMany(d => Parts(d, "shards")).SelectMany(s => Run(s, "first_expert", "experts")).Order());
        Assert.True(plan.GetProperty("kv_room_tokens").GetInt64() > 16_384);
        Assert.Equal(nodes, plan.GetProperty("losses").GetArrayLength());
        // Between nodes travel, for each MoE layer, the row to a remote expert and the row back, 5120 values of two bytes.
        var remote = nodes == 1 ? 0 : each.Where(d => d.GetProperty("node").GetString() != "node-1")
            .SelectMany(d => Parts(d, "shards")).Sum(s => s.GetProperty("experts").GetInt32()) / 128.0;
        Assert.Equal(24 * 2 * remote, plan.GetProperty("wire_messages_per_token").GetDouble(), 6);
        Assert.Equal(24 * 2 * remote * 5120 * 2, plan.GetProperty("wire_bytes_per_token").GetDouble(), 3);
    }

    [Fact]
    public async Task Scout_on_two_devices_is_refused_with_the_missing_amount_and_what_would_help()
    {
        var text = await InProcess.RunAsync(["plan", "--model-name", Scout, "--devices", "2x80GiB"]);
        text.AssertFailed(CommandLine.Failed, "43.7 GiB", "are missing", "1 more device of 80.0 GiB");
        var json = await InProcess.RunAsync(["plan", "--model-name", Scout, "--devices", "2x80GiB", "--json"]);
        Assert.Equal(CommandLine.Failed, json.ExitCode);
        var refused = Parse(json);
        Assert.False(refused.GetProperty("fits").GetBoolean());
        // Weights, and 16,384 positions of 48 layers' keys and values in bfloat16, over two budgets.
        var missing = (2 * 107_769_861_120) + (16_384L * 48 * 2 * 8 * 128 * 2) - (160L << 30);
        Assert.Equal(missing, refused.GetProperty("missing_bytes").GetInt64());
        Assert.Equal(missing / (double)(1L << 30), refused.GetProperty("missing_gib").GetDouble(), 3);
        Assert.Equal("1 more device of 80.0 GiB", Assert.Single(refused.GetProperty("would_help").EnumerateArray()).GetString());
        Assert.Equal(missing, refused.GetProperty("devices").EnumerateArray().Sum(d => Math.Max(0, Bytes(d, "needed_bytes") - Bytes(d, "memory_bytes"))));
    }

    [Fact]
    public async Task What_is_asked_for_is_honoured_and_told()
    {
        var ended = await InProcess.RunAsync(
            ["plan", "--model-name", Maverick, "--devices", "4x8x80GiB", "--pipelines", "2", "--stages", "2", "--expert-shards", "64", "--replicas", "2"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        foreach (var part in new[] { "2 pipelines of 2 stages, 64 expert shards of 2 replicas", "layers 24-47 of pipeline 1", "replica 1", "Loss of node-4: survived" })
            Assert.Contains(part, ended.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("not survived", ended.Output, StringComparison.Ordinal);
        var roles = await PlanAsync("--model-name", Scout, "--devices", "80GiB:trunk,8x40GiB:experts");
        foreach (var device in roles.GetProperty("devices").EnumerateArray())
            Assert.Empty(Parts(device, device.GetProperty("node").GetString() == "node-1" ? "shards" : "stages"));
    }

    [Fact]
    public async Task A_checkpoint_is_planned_with_its_own_shape()
    {
        var plan = await PlanAsync("--model", ProgramRun.SampleModel, "--devices", "3x1x1GiB", "--dtype", "float32");
        Assert.Equal("bard", plan.GetProperty("model").GetString());
        Assert.Equal(3, plan.GetProperty("expert_shards").GetInt32());
        Assert.All(plan.GetProperty("losses").EnumerateArray(), l => Assert.True(l.GetProperty("survives").GetBoolean()));
    }

    [Theory]
    [InlineData("scout-8x80g.conf", Scout, "8x72GiB", "8x80GiB", "--expert-shards 8 --kv-positions 262144")]
    [InlineData("maverick-2x8x80g.conf", Maverick, "2x8x72GiB", "2x8x80GiB", "--stages 2 --expert-shards 16 --kv-positions 131072")]
    public async Task The_settings_files_for_GPUs_agree_with_the_plan(string file, string model, string budgets, string memory, string options)
    {
        var config = Path.Combine(Shared.RepositoryRoot, "config", file);
        var fromFile = await PlanAsync("--model-name", model, "--config", config);
        var fromBudgets = await PlanAsync(["--model-name", model, "--devices", budgets, .. options.Split(' ')]);
        Assert.Equal(fromBudgets.GetRawText(), fromFile.GetRawText());
        // What the file leaves free on each GPU changes nothing about where things are.
        var fromMemory = await PlanAsync(["--model-name", model, "--devices", memory, .. options.Split(' ')]);
        Assert.Equal(Placements(fromMemory), Placements(fromFile));
    }

    [Theory]
    [InlineData("plan --devices 8x80GiB", "--model-name and --model")]
    [InlineData("plan --model-name x --model y --devices 8x80GiB", "--model-name and --model")]
    [InlineData("plan --model-name llama4-17b-16e", "--devices and --config")]
    [InlineData("plan --model-name llama4-17b-16e --devices 8x80GiB --dtype int8", "\"int8\"")]
    [InlineData("plan --model-name llama4-17b-16e --devices 8x80GiB --stages two", "two")]
    public async Task Wrong_usage_is_told_in_one_line(string line, string part) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.WrongUsage, part);

    [Theory]
    [InlineData("plan --model-name llama4 --devices 8x80GiB", "\"llama4\"", "\"llama4-17b-16e\"")]
    [InlineData("plan --model-name llama4-17b-16e --devices 8x80", "\"8x80\"", "8x80GiB")]
    [InlineData("plan --model /nowhere/m --devices 8x80GiB", "\"/nowhere/m\"")]
    [InlineData("plan --model-name llama4-17b-16e --config /nowhere/c", "\"/nowhere/c\"")]
    [InlineData("plan --model-name llama4-17b-16e --devices 8x80GiB --stages 49", "stages is 49", "48 layers")]
    [InlineData("plan --model-name llama4-17b-16e --devices 8x80GiB --replicas 0", "replicas is 0")]
    public async Task What_cannot_be_planned_is_named(string line, params string[] parts) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.Failed, parts);

    private static async Task<JsonElement> PlanAsync(params string[] arguments)
    {
        var ended = await InProcess.RunAsync(["plan", .. arguments, "--json"]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        return Parse(ended);
    }

    private static JsonElement Parse(ProgramRun.Ended ended)
    {
        using var json = JsonDocument.Parse(ended.LastLine);
        return json.RootElement.Clone();
    }

    private static long Bytes(JsonElement device, string name) => device.GetProperty(name).GetInt64();

    private static IEnumerable<JsonElement> Parts(JsonElement device, string name) => device.GetProperty(name).EnumerateArray();

    private static IEnumerable<int> Run(JsonElement part, string first, string count) =>
        Enumerable.Range(part.GetProperty(first).GetInt32(), part.GetProperty(count).GetInt32());

    private static string[] Placements(JsonElement plan) =>
        [.. plan.GetProperty("devices").EnumerateArray().Select(d => $"{d.GetProperty("node")} {d.GetProperty("device")} {d.GetProperty("stages")} {d.GetProperty("shards")}")];
}
