using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Benchmarks.Clusters;

/// <summary>A ready cluster of node processes on this machine, to be measured.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(20);
    private readonly LocalCluster _processes;

    private BenchCluster(LocalCluster processes, ClusterConnection connection) => (_processes, Connection) = (processes, connection);

    public ClusterConnection Connection { get; }

    public static async Task<BenchCluster> StartAsync(LocalClusterOptions options)
    {
        using var timeout = new CancellationTokenSource(s_start);
        var processes = await LocalCluster.StartAsync(options, timeout.Token);
        ClusterConnection? connection = null;
        try
        {
            connection = await processes.ConnectAsync(timeout.Token);
            await processes.WaitUntilReadyAsync(connection, onStatus: null, timeout.Token);
            return new BenchCluster(processes, connection);
        }
        catch
        {
            if (connection is not null) await connection.DisposeAsync();
            await processes.DisposeAsync();
            throw;
        }
    }

    /// <summary>A session of random ids that ends after exactly <paramref name="tokens"/>.</summary>
    public GenerationStream Generate(Random random, int promptTokens, int tokens, int vocabulary) =>
        Connection.OpenSession(new GenerationRequest(
            GenerationRequest.Tokens(Enumerable.Range(0, promptTokens).Select(_ => random.Next(1, vocabulary))), tokens)
        {
            Sampling = new SamplingOptions(0, 1, 0, 0),
            IgnoreEos = true,
        });

    public Task<ClusterProtocol.Status> StatusAsync() => Connection.GetStatusAsync(s_answer);

    /// <summary>The first status in which no node has a session or anything of one, and that is newer than any before.</summary>
    public async Task<ClusterProtocol.Status> AtRestAsync()
    {
        // Offers come once a second: the first may be of before the last session's end.
        for (var tries = 0; tries < 100; tries++)
        {
            await Task.Delay(300);
            var status = await StatusAsync();
            if (tries >= 7 && status.Nodes.All(n => n.Counters is { Sessions: 0, LivePayloads: 0, LiveActivations: 0 })) return status;
        }

        throw new InvalidDataException($"Bench: the cluster does not come to rest: {await StatusAsync()}");
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _processes.DisposeAsync();
    }
}
