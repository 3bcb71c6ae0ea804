using System.Diagnostics;
using ActorLlama.Checkpoints;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary>What the nodes of a cluster hold becomes one checkpoint, or nothing.</summary>
public sealed class SaveTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    /// <summary>Dense and MoE layers, and a vision tower, which no device holds.</summary>
    [SharedFact]
    public async Task What_three_nodes_save_one_loads_and_the_reverse()
    {
        var source = Shared.PathOf("fixtures", "tiny-maverick");
        var golden = GoldenCase.Read(Path.Combine(source, "expected.safetensors"));
        using var folder = new TemporaryFolder();
        string three = folder.PathOf("three"), one = folder.PathOf("one"), expected;
        await using (var cluster = await InProcessCluster.StartAsync(new LocalClusterOptions(3, source) { Stages = 1, ExpertShards = 8 }))
        {
            var holders = (await cluster.Connection.GetStatusAsync(s_bound)).Plan.Shards.Select(shard => shard.Device.Node).Distinct();
            Assert.Equal(2, holders.Count());
            expected = await HashAsync(cluster, golden);
            await cluster.Connection.SaveAsync(three, LayoutNames.Unscanned, progress: null);
            var taken = await Assert.ThrowsAsync<SaveFailedException>(() => cluster.Connection.SaveAsync(three, LayoutNames.Unscanned, progress: null));
            Assert.Contains("a checkpoint is written into a new or empty folder", taken.Message, StringComparison.Ordinal);
        }

        AssertSame(source, three);
        await using (var cluster = await InProcessCluster.StartAsync(new LocalClusterOptions(1, three)))
        {
            Assert.Equal(expected, await HashAsync(cluster, golden));
            await cluster.Connection.SaveAsync(one, LayoutNames.Unscanned, progress: null);
        }

        AssertSame(source, one);
        await using (var cluster = await InProcessCluster.StartAsync(new LocalClusterOptions(3, one) { Stages = 1, ExpertShards = 3 }))
            Assert.Equal(expected, await HashAsync(cluster, golden));
        Assert.Equal(["one", "three"], Directory.GetFileSystemEntries(folder.Path).Select(path => Path.GetFileName(path)!).Order());
    }

    [Fact]
    public async Task A_node_killed_while_it_saves_is_named_and_leaves_nothing()
    {
        using var folder = new TemporaryFolder();
        var target = folder.PathOf("saved");
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, TestCluster.SampleModel) { Stages = 1, ExpertShards = 3 });
        var status = await cluster.StatusAsync();
        // Stopped first, so that it is in the midst of the save however quick the others are.
        var victim = status.Nodes.First(node => node.Node != status.Supervisor && node.Shards.Length > 0).Name;
        cluster.Signal(victim, ProcessSignal.Stop);
        var others = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var save = cluster.Connection.SaveAsync(target, LayoutNames.Unscanned, seen =>
        {
            if (seen is { Phase: SavePhase.Writing, WrittenBytes: > 0 }) others.TrySetResult();
        });
        Assert.Same(others.Task, await Task.WhenAny(others.Task, save).WaitAsync(s_bound));
        Assert.NotEmpty(Directory.GetFileSystemEntries(folder.Path));
        cluster.Kill(victim);
        var fault = await Assert.ThrowsAsync<SaveFailedException>(() => save.WaitAsync(s_bound));
        Assert.Contains($"node \"{victim}\", which writes expert shard", fault.Message, StringComparison.Ordinal);
        Assert.Contains("was lost", fault.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
        for (var clock = Stopwatch.StartNew(); Directory.GetFileSystemEntries(folder.Path).Length > 0; await Task.Delay(50))
            Assert.True(clock.Elapsed < s_bound, $"left: {string.Join(", ", Directory.GetFileSystemEntries(folder.Path))}");

        // Those that are left hold the whole model soon, and save it.
        await cluster.WaitUntilAsync(now => now.State == ClusterState.Ready && now.Nodes.Length == 2, "two nodes that hold the model");
        await cluster.Connection.SaveAsync(target, LayoutNames.Unscanned, progress: null).WaitAsync(s_bound);
        AssertSame(TestCluster.SampleModel, target);
    }

    private static async Task<string> HashAsync(InProcessCluster cluster, GoldenCase golden)
    {
        var report = await Verifier.RunAsync(cluster.Connection, golden, bfloat16: false, CancellationToken.None);
        Assert.Equal(0, report.Prefill!.Outside);
        return report.LogitsSha256;
    }

    private static void AssertSame(string expected, string actual) => Assert.All(
        CheckpointComparison.Of(expected, actual), tensor => Assert.True(tensor.IsEqual, $"{tensor.Name} {tensor.Fault} {tensor.Different}"));
}
