using System.Globalization;
using System.Text.Json.Nodes;
using ActorLlama.Cli;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary>Training over real node processes: whatever the topology and whatever dies, the run is that of one device.</summary>
public sealed class TrainingTests : IDisposable
{
    private const int Steps = 3;

    /// <summary>Any text will do that gives the 480 entries of the shape's vocabulary.</summary>
    private static readonly string s_text = Path.Combine(Shared.RepositoryRoot, "README.md");
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Three processes, then two, then one; six devices, four, two; four expert shards, two, one: in one run that is resumed, and in one that is not. Text, some of it held out and
    /// evaluated; embeddings that the head has, too.
    /// </summary>
    [Fact]
    public async Task Processes_devices_and_expert_shards_change_no_bit_of_a_run()
    {
        var shape = JsonNode.Parse(await File.ReadAllTextAsync(ProgramFiles.Shape("tiny-maverick")))!;
        shape["tie_word_embeddings"] = true;
        await File.WriteAllTextAsync(_folder.PathOf("tied.json"), shape.ToJsonString());
        Assert.Equal(0, await CommandLine.RunAsync(["tokenizer", "train", "--text", s_text, "--size", "480", "--out", _folder.PathOf("tokenizer.model")]));
        var expected = await TrainAsync("one", ["--threads", "1"], Steps);
        await using var cluster = await StartAsync(devices: 2);

        Same(expected, await OverAsync("straight", Steps, shards: 4));
        await OverAsync("resumed", 1, shards: 4);
        await LeaveAsync("node-3");
        await OverAsync("resumed", 2, shards: 2);
        await LoseUnsavedAsync(cluster, "node-2");
        Same(expected, await OverAsync("resumed", Steps, shards: 1));
        foreach (var run in (string[])["straight", "resumed"])
            foreach (var file in (string[])["model.safetensors", "optimizer-00001-of-00001.safetensors", "config.json"])
                Assert.True(File.ReadAllBytes(ItemOf("one", file)).AsSpan().SequenceEqual(File.ReadAllBytes(ItemOf(run, file))), $"{file} of {run} differs");

        Task<string[]> OverAsync(string run, int steps, int shards) => TrainAsync(run, ["--cluster", cluster.Address, "--expert-shards", $"{shards}"], steps, devices: 6);

        async Task LeaveAsync(string node)
        {
            await cluster.Processes.Single(process => process.Name == node).StopAsync();
            var left = cluster.Processes.Count(process => !process.HasExited);
            await cluster.WaitUntilAsync(status => status.Nodes.Length == left, $"{left} nodes");
        }
    }

    /// <summary>One seed of <c>scripts/chaos-train.sh</c>, and short: the node that coordinates the run dies when some have been told to commit, and another one takes its place.</summary>
    [Fact]
    public async Task A_run_whose_coordinator_dies_in_the_middle_of_a_commit_waits_for_another_node_and_learns_the_same()
    {
        var options = new TrainingChaosOptions { Steps = 6, Faults = (1, 1), MostSteps = 1, Phases = [TrainingPhase.Decide], Deeds = [(ChaosDeed.Kill, 0)], Tokens = 16 };
        using var chaos = new TrainingChaos(options, null);
        var outcome = await chaos.RunAsync(1, waits: true, CancellationToken.None);
        Assert.Empty(outcome.Faults);
        Assert.Equal(TrainingPhase.Decide, Assert.Single(outcome.Hits).Phase);
    }

    /// <summary>Kills the node in a run that has no checkpoints.</summary>
    private async Task LoseUnsavedAsync(TestCluster cluster, string node)
    {
        var (before, said) = (Console.Error, new StringWriter());
        Console.SetError(said);
        try
        {
            var run = CommandLine.RunAsync(LineOf("unsaved", ["--cluster", cluster.Address, "enable_checkpointing=false"], steps: 1000, devices: 4));
            await WaitForStepAsync("unsaved", 1, run);
            cluster.Kill(node);
            Assert.Equal(CommandLine.Failed, await run);
        }
        finally
        {
            Console.SetError(before);
        }

        Assert.EndsWith(
            ", and no complete state is left: there is no checkpoint to go back to. Start the run again, with checkpoints.\n", said.ToString(), StringComparison.Ordinal);
        await cluster.WaitUntilAsync(status => status.Nodes.Length == 1, "one node");
    }

    private static void Same(string[] expected, string[] actual)
    {
        for (var step = 0; step < Math.Min(expected.Length, actual.Length); step++) Assert.True(expected[step] == actual[step], $"step {step} was\n{expected[step]}\nand is\n{actual[step]}");
        Assert.Equal(expected.Length, actual.Length);
    }

    private async Task WaitForStepAsync(string run, int step, Task ended)
    {
        var trained = new TrainedRun(_folder.PathOf("runs", run));
        while (trained.Told <= step)
        {
            Assert.False(ended.IsCompleted, $"the run ended before step {step}");
            await Task.Delay(10);
        }
    }

    private async Task<TestCluster> StartAsync(int devices)
    {
        var shape = Directory.CreateDirectory(_folder.PathOf("shape"));
        File.Copy(ProgramFiles.Shape("tiny-maverick"), Path.Combine(shape.FullName, "config.json"));
        return await TestCluster.StartAsync(new LocalClusterOptions(3, shape.FullName)
        {
            Serves = false,
            Settings = [$"actorllama.node.devices=[{string.Join(", ", Enumerable.Range(0, devices).Select(i => $"\"cpu:{i}\""))}]"],
        });
    }

    /// <summary>What a run says that it learned, step by step: four sequences, two of each microbatch, whatever the number of devices that it begins with.</summary>
    private async Task<string[]> TrainAsync(string run, string[] options, int steps, int devices = 1)
    {
        Assert.Equal(0, await CommandLine.RunAsync(LineOf(run, options, steps, devices)));
        return [.. new TrainedRun(_folder.PathOf("runs", run)).Learned().GroupBy(told => told.Of).Select(told => $"{told.Key}: {told.Last().What}")];
    }

    private string[] LineOf(string run, string[] options, int steps, int devices) =>
    [
        "train", .. options, $"model_name={_folder.PathOf("tied.json")}", "dataset_type=text", $"dataset_path={s_text}", $"tokenizer_path={_folder.PathOf("tokenizer.model")}",
        "eval_interval=2", "eval_steps=2", "max_target_length=16", $"steps={steps}", "learning_rate_schedule_steps=20",
        "warmup_steps_fraction=0", "learning_rate=1e-2", "dtype=float32", "weight_dtype=float32", "load_balance_loss_weight=0.01", "z_loss_multiplier=1e-4",
        "gradient_accumulation_steps=2", "ici_fsdp_parallelism=-1", string.Create(CultureInfo.InvariantCulture, $"per_device_batch_size={2.0 / devices:F8}"),
        $"base_output_directory={_folder.PathOf("runs")}", $"run_name={run}",
    ];

    private string ItemOf(string run, string file) => _folder.PathOf("runs", run, "checkpoints", $"{Steps - 1}", "items", file);
}
