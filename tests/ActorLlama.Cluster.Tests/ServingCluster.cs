using System.Diagnostics;
using ActorLlama.Cli;
using ActorLlama.Protocol;

namespace ActorLlama.Cluster.Tests;

/// <summary>Three processes with two pipelines of two stages and four expert shards. Each pipeline lets 16 sequences in; their KV is scarce.</summary>
public sealed class ServingCluster : IAsyncLifetime
{
    public const int MaxRunning = 16;
    public const int MaxWaiting = 16;
    private TestCluster? _cluster;

    internal TestCluster Cluster => _cluster!;

    public async Task InitializeAsync() => _cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, TestCluster.SampleModel)
    {
        Stages = 2,
        ExpertShards = 4,
        Settings =
        [
            "actorllama.plan.pipelines=2", "actorllama.plan.kv-positions=768", "actorllama.plan.kv-sequences=8", "actorllama.node.offer-interval=100ms",
            $"actorllama.scheduler.max-sequences={MaxRunning}", $"actorllama.scheduler.max-waiting={MaxWaiting}",
        ],
    });

    public async Task DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
    }

    /// <summary>The loads of the pipelines, in order.</summary>
    internal async Task<NodeProtocol.PipelineLoad[]> LoadsAsync() => Loads(await Cluster.StatusAsync());

    internal static NodeProtocol.PipelineLoad[] Loads(ClusterProtocol.Status status) => [.. status.Nodes.SelectMany(n => n.Pipelines).OrderBy(p => p.Pipeline)];

    /// <summary>Waits until no sequence runs or waits and none holds a block; returns how long that took.</summary>
    internal async Task<TimeSpan> RestAsync()
    {
        var clock = Stopwatch.StartNew();
        await Cluster.WaitUntilAsync(
            s => Loads(s) is { Length: 2 } loads && loads.All(l => l is { Running: 0, Waiting: 0, BatchesInFlight: 0 } && l.Whole.Used + l.Chunked.Used == 0),
            "rest: nothing runs or holds KV");
        return clock.Elapsed;
    }
}
