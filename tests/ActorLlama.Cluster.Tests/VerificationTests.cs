using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Cli;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary>Golden logits and tokens through real processes, in layouts that the program's own tests do not have; the same bits in all on the CPU backend.</summary>
public sealed class VerificationTests
{
    private static readonly Dictionary<string, string> s_alone = [];

    [SharedFact]
    public async Task Every_layout_gives_the_golden_values_and_the_same_bits()
    {
        const string model = "bard";
        var alone = await AloneAsync(model);
        Assert.Equal(alone, (await VerifyAsync(model, new LocalClusterOptions(3, Folder(model)) { Stages = 1, ExpertShards = 2 })).LogitsSha256);
        Assert.Equal(alone, (await VerifyAsync(model, new LocalClusterOptions(3, Folder(model)) { Stages = 4, ExpertShards = 8 })).LogitsSha256);
    }

    /// <summary>Dense and MoE layers, experts and stages on different nodes, and NaN wherever a node must not look.</summary>
    [SharedTheory]
    [InlineData("tiny-scout", 2, 4)]
    [InlineData("tiny-maverick", 4, 8)]
    [InlineData("bard", 2, 4)]
    public async Task Nodes_read_only_what_their_plan_gives_them(string model, int stages, int shards) =>
        Assert.Equal(await AloneAsync(model), (await VerifyPoisonedAsync(model, stages, shards)).LogitsSha256);

    /// <summary>Hugging Face's is that of all other tests.</summary>
    [SharedFact]
    public async Task Three_nodes_load_every_layout_and_give_the_bits_of_one()
    {
        const string model = "tiny-scout";
        using var folder = new TemporaryFolder();
        var alone = await AloneAsync(model);
        foreach (var layout in LayoutNames.All.Where(layout => layout != LayoutNames.HuggingFace))
        {
            CheckpointConverter.Run(
                Folder(model), folder.PathOf(layout), new ConversionOptions { Layout = layout, MetaParts = 2, Panels = layout == LayoutNames.Unscanned });
            await using var cluster = await InProcessCluster.StartAsync(new LocalClusterOptions(3, folder.PathOf(layout)) { Stages = 2, ExpertShards = 4 });
            Assert.Equal(alone, (await Verifier.RunAsync(cluster.Connection, Golden(model), bfloat16: false, CancellationToken.None)).LogitsSha256);
        }
    }

    [SharedTheory]
    [InlineData("tiny-maverick")]
    [InlineData("bard")]
    public async Task Libtorch_is_within_the_tolerance_too(string model)
    {
        // Its first batch is slow where other processes want the cores too.
        var options = new LocalClusterOptions(1, Folder(model))
        {
            Backend = "torch",
            Settings = ["actorllama.scheduler.batch-deadline=60s", "actorllama.session.fail-after=90s"],
        };
        Assert.NotNull((await VerifyAsync(model, options)).Decode);
    }

    /// <summary>As GPUs and CPUs do: refused otherwise, for their bits differ.</summary>
    [SharedFact]
    public async Task Kinds_of_devices_mix_in_one_cluster_that_is_told_to()
    {
        var options = new LocalClusterOptions(2, Folder("tiny-maverick"))
        {
            Stages = 2,
            ExpertShards = 4,
            Settings = ["actorllama.model.numerics=mixed"],
            SettingsOfNode = ImmutableDictionary<int, ImmutableArray<string>>.Empty.Add(1, ["actorllama.node.devices=[{device=\"cpu:0\",backend=torch,deterministic=on}]"]),
        };
        await using var cluster = await InProcessCluster.StartAsync(options);
        var report = await Verifier.RunAsync(cluster.Connection, Golden("tiny-maverick"), bfloat16: false, CancellationToken.None);
        Assert.Empty(report.Faults);
        Assert.NotEqual(await AloneAsync("tiny-maverick"), report.LogitsSha256);
        Assert.All(report.Nodes, node => Assert.True(node.LaneBytesSent > 0));
    }

    [SharedFact]
    public async Task Bfloat16_is_within_its_statistics_on_three_nodes() =>
        Assert.Null((await VerifyAsync("bard", new LocalClusterOptions(3, Folder("bard")) { Dtype = "bfloat16", ExpertShards = 4 })).Decode);

    [SharedFact]
    public async Task A_node_that_takes_no_part_fails_the_verification()
    {
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, Folder("tiny-scout")) { Stages = 1, ExpertShards = 1 });
        var report = await Verifier.RunAsync(cluster.Connection, Golden("tiny-scout"), bfloat16: false, CancellationToken.None);
        var fault = Assert.Single(report.Faults);
        Assert.EndsWith("sent no byte over its lanes", fault, StringComparison.Ordinal);
        Assert.Equal(0, report.Prefill!.Outside);
    }

    [SharedFact]
    public async Task A_shard_that_computes_no_row_fails_the_verification()
    {
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, Folder("tiny-maverick")) { Stages = 1, ExpertShards = 8 });
        // One position in four MoE layers reaches four experts at most.
        var golden = Golden("tiny-maverick").Prefill!;
        var one = new GoldenCase(new GoldenCase.PrefillPart([[golden.Sequences[0][0]]], golden.Logits[..golden.Width], golden.Width), null);
        var report = await Verifier.RunAsync(cluster.Connection, one, bfloat16: false, CancellationToken.None);
        Assert.Equal(0, report.Prefill!.Outside);
        Assert.InRange(report.Shards.Count(s => s.Rows == 0), 4, 7);
        Assert.All(report.Shards.Where(s => s.Rows == 0), s => Assert.Contains($"expert shard {s.Shard} on {s.Node} computed no row", report.Faults));
    }

    /// <summary>The bits of one node, which every layout is held to; computed once for each model.</summary>
    private static async Task<string> AloneAsync(string model)
    {
        if (!s_alone.TryGetValue(model, out var known))
            s_alone[model] = known = (await VerifyAsync(model, new LocalClusterOptions(1, Folder(model)))).LogitsSha256;
        return known;
    }

    private static async Task<VerificationReport> VerifyPoisonedAsync(string model, int stages, int shards)
    {
        using var folder = new TemporaryFolder();
        var plan = PoisonedCopies.Plan(Folder(model), 3, stages, shards);
        var options = new LocalClusterOptions(3, Folder(model))
        {
            Stages = stages,
            ExpertShards = shards,
            Settings = [PoisonedCopies.Memory],
            ModelOfNode = PoisonedCopies.Write(Folder(model), plan, 3, folder),
        };
        return await VerifyAsync(model, options, async cluster =>
        {
            var status = await cluster.StatusAsync();
            var names = status.Nodes.ToDictionary(n => n.Node, n => n.Name);
            Assert.Equal(PoisonedCopies.Parts(plan, PoisonedCopies.NameOf), PoisonedCopies.Parts(status.Plan, n => names[n]));
        });
    }

    private static async Task<VerificationReport> VerifyAsync(string model, LocalClusterOptions options, Func<TestCluster, Task>? check = null)
    {
        await using var cluster = await TestCluster.StartAsync(options);
        if (check is not null) await check(cluster);
        var report = await Verifier.RunAsync(cluster.Connection, Golden(model), options.Dtype == "bfloat16", CancellationToken.None);
        var where = $"{model} on {options.Nodes} nodes, {options.Stages} stages, {options.ExpertShards} shards";
        Assert.True(report.Faults.IsEmpty, $"{where}: {string.Join("; ", report.Faults)}");
        Assert.NotNull(report.Prefill);
        Assert.True(options.ExpertShards is null || report.Shards.Length == options.ExpertShards, $"{where}: {report.Shards.Length} shards");
        Assert.Equal(options.Nodes, report.Nodes.Length);
        return report;
    }

    private static string Folder(string model) => model == "bard" ? TestCluster.SampleModel : Shared.PathOf("fixtures", model);

    private static GoldenCase Golden(string model) => GoldenCase.Read(
        model == "bard" ? Shared.PathOf("data", "bard", "golden.safetensors") : Shared.PathOf("fixtures", model, "expected.safetensors"));
}
