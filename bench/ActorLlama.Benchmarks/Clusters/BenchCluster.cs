using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Benchmarks.Clusters;

/// <summary>A ready cluster of node processes on this machine, to be measured.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(20);
    private readonly Attachment _attachment;

    private BenchCluster(Attachment attachment) => _attachment = attachment;

    public ClusterConnection Connection => _attachment.Connection;

    /// <summary>The nodes' processes.</summary>
    public IEnumerable<int> Processes => _attachment.Own!.Nodes.Select(node => node.Pid);

    public static async Task<BenchCluster> StartAsync(LocalClusterOptions options)
    {
        using var timeout = new CancellationTokenSource(s_start);
        return new BenchCluster(await Attachment.ToOwnAsync(options, timeout.Token, onStatus: _ => { }));
    }

    /// <summary>A session of random ids that ends after exactly <paramref name="tokens"/>.</summary>
    public GenerationStream Generate(Random random, int promptTokens, int tokens) =>
        Connection.OpenSession(new GenerationRequest(
            GenerationRequest.Tokens(Enumerable.Range(0, promptTokens).Select(_ => random.Next(1, _attachment.Model.Shape.VocabSize))), tokens)
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

    public ValueTask DisposeAsync() => _attachment.DisposeAsync();
}
