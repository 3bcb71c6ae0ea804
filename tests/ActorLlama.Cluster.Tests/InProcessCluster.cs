using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.Runtime;
using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Cluster.Tests;

/// <summary>
/// Nodes in this process, each with its own actor system, lane and mapping of the checkpoint, over loopback: for what needs a cluster but no process that dies. Starts in
/// a fraction of the time that processes take.
/// </summary>
internal sealed class InProcessCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);
    private readonly List<ActorLlamaNode> _nodes = [];
    private ClusterConnection? _connection;

    public ClusterConnection Connection => _connection ?? throw new InvalidOperationException("The cluster has not started.");

    public static async Task<InProcessCluster> StartAsync(LocalClusterOptions options)
    {
        using var timeout = new CancellationTokenSource(s_start);
        var cluster = new InProcessCluster();
        try
        {
            cluster._nodes.Add(await StartAsync(options, 0, seed: null));
            cluster._nodes.AddRange(await Task.WhenAll(Enumerable.Range(1, options.Nodes - 1).Select(i => StartAsync(options, i, cluster._nodes[0].Address))));
            cluster._connection = await ClusterConnection.ConnectAsync(cluster._nodes[0].Address, s_start, timeout.Token);
            while (await LocalCluster.TryGetStatusAsync(cluster.Connection, timeout.Token) is not { State: ClusterState.Ready }) await Task.Delay(s_poll, timeout.Token);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        await Task.WhenAll(_nodes.Select(node => node.DisposeAsync().AsTask()));
    }

    private static Task<ActorLlamaNode> StartAsync(LocalClusterOptions options, int index, string? seed) => ActorLlamaNode.StartAsync(
        NodeOptionsReader.Read(HoconFiles.Load(ProgramFiles.Config("local-3.conf"), options.SettingsOf(index, seed is null ? [] : [seed]))), new ActorLlama.Training.Actors.TrainingActors());
}
