using System.Collections.Immutable;
using System.Diagnostics;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Xunit.Abstractions;

namespace ActorLlama.Cluster.Tests;

/// <summary>All experts on one of three nodes for experts while sessions stream: the cluster makes a copy by itself, where there is room, and uses it.</summary>
public sealed class BusyExpertTests(ITestOutputHelper output)
{
    private const int Tokens = 150;
    private const int SmallNode = 3;
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_busy_shard_gets_a_copy_that_routers_use_in_memory_that_is_there()
    {
        await using var cluster = await InProcessCluster.StartAsync(new LocalClusterOptions(4, TestCluster.SampleModel)
        {
            Stages = 1,
            ExpertShards = 1,
            Settings = ["actorllama.plan.max-replicas=3", "actorllama.plan.replicate-every=1s", "actorllama.node.offer-interval=100ms"],
            SettingsOfNode = ImmutableDictionary<int, ImmutableArray<string>>.Empty
                .Add(0, ["actorllama.node.roles=[trunk, control]"])
                .Add(1, ["actorllama.node.roles=[experts]"])
                .Add(2, ["actorllama.node.roles=[experts]"])
                .Add(SmallNode, ["actorllama.node.roles=[experts]", "actorllama.node.device-defaults.memory=10MiB"]),
        });
        var before = Assert.Single((await StatusAsync(cluster)).Plan.Shards);
        using var enough = new CancellationTokenSource();
        var streams = Enumerable.Range(0, 4).Select(i => StreamAsync(cluster, Undisturbed.Prompt(80 + i, 10 + (20 * i)), $"session {i}", enough.Token)).ToArray();
        try
        {
            var clock = Stopwatch.StartNew();
            var status = await UntilAsync(cluster, streams, clock, s => s.State == ClusterState.Ready && Held(s).Length == 2, "two copies");
            output.WriteLine($"a copy is there after {clock.Elapsed.TotalSeconds:0.0} s");
            var rows = Rows(status);
            status = await UntilAsync(cluster, streams, clock, s => Rows(s) is { Length: 2 } now && now.Zip(rows).All(r => r.First > r.Second + 1000), "rows from both");
            output.WriteLine($"both have computed after {clock.Elapsed.TotalSeconds:0.0} s: {string.Join(", ", Rows(status))} rows");
            Assert.Equal(before.Device, Held(status)[0].Placement.Device);
            Assert.Equal(2, Held(status).Select(h => h.Placement.Device.Node).Distinct().Count());
            foreach (var node in status.Nodes) Assert.InRange(node.LoadedBytes(), 0, node.Devices.Sum(d => d.MemoryBytes));
            Assert.Empty(status.Nodes.Single(n => n.Name == $"node-{SmallNode + 1}").Shards);
            Assert.Contains(await cluster.Connection.GetEventsAsync(s_answer), e => e.Text.Contains("some experts are busier than others", StringComparison.Ordinal));
        }
        finally
        {
            await enough.CancelAsync();
        }

        await Task.WhenAll(streams);
    }

    private static Task<ClusterProtocol.Status> StatusAsync(InProcessCluster cluster) => cluster.Connection.GetStatusAsync(s_answer);

    private static NodeProtocol.HeldShard[] Held(ClusterProtocol.Status status) =>
        [.. status.Nodes.SelectMany(n => n.Shards).Where(s => s.Expert is not null).OrderBy(s => s.Placement.Replica)];

    private static long[] Rows(ClusterProtocol.Status status) => [.. Held(status).Select(h => h.RowsComputed)];

    private static async Task<ClusterProtocol.Status> UntilAsync(
        InProcessCluster cluster, Task[] streams, Stopwatch clock, Func<ClusterProtocol.Status, bool> wanted, string what)
    {
        while (true)
        {
            var status = await StatusAsync(cluster);
            if (wanted(status)) return status;
            foreach (var ended in streams.Where(s => s.IsCompleted)) await ended;
            Assert.True(clock.Elapsed < s_bound, $"the cluster never came to {what}: {status.State} {status.Reason}; rows {string.Join(", ", Rows(status))}");
            await Task.Delay(100);
        }
    }

    /// <summary>The same session again and again, until told to end with the one that runs.</summary>
    private static async Task StreamAsync(InProcessCluster cluster, ImmutableArray<int> prompt, string who, CancellationToken until)
    {
        var expected = Undisturbed.Tokens(prompt, Tokens);
        while (!until.IsCancellationRequested)
        {
            var stream = new RunningStream(cluster.Connection.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), Tokens)
            {
                Sampling = new SamplingOptions(0, 1, 0, 0),
                IgnoreEos = true,
            }));
            await stream.EndAsync();
            Undisturbed.Same(expected, stream.Ids, who);
        }
    }
}
