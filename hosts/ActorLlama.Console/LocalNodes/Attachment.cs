using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>A connection to a running cluster, or to one of our own on this machine that ends with it.</summary>
internal sealed class Attachment : IAsyncDisposable
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(10);
    private readonly LocalCluster? _own;

    private Attachment(ClusterConnection connection, ClusterProtocol.Model model, LocalCluster? own) =>
        (Connection, Model, _own) = (connection, model, own);

    public ClusterConnection Connection { get; }

    public ClusterProtocol.Model Model { get; }

    /// <summary>Attaches to the cluster at <paramref name="address"/>.</summary>
    public static async Task<Attachment> ToAsync(string address, CancellationToken cancellation)
    {
        var connection = await ClusterConnection.ConnectAsync(address, s_connect, cancellation);
        return await FinishAsync(connection, own: null, cancellation);
    }

    /// <summary>Starts node processes here and attaches when they are ready.</summary>
    public static async Task<Attachment> ToOwnAsync(LocalClusterOptions options, CancellationToken cancellation)
    {
        var own = await LocalCluster.StartAsync(options, cancellation);
        ClusterConnection? connection = null;
        try
        {
            connection = await own.ConnectAsync(cancellation);
            var entered = connection;
            await ByteProgress.ShowAsync(report => own.WaitUntilReadyAsync(entered, new LoadingReport(report, TimeProvider.System).Note, cancellation));
        }
        catch
        {
            if (connection is not null) await connection.DisposeAsync();
            await own.DisposeAsync();
            throw;
        }

        return await FinishAsync(connection, own, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        if (_own is not null) await _own.DisposeAsync();
    }

    private static async Task<Attachment> FinishAsync(ClusterConnection connection, LocalCluster? own, CancellationToken cancellation)
    {
        try
        {
            return new Attachment(connection, await connection.GetModelAsync(s_connect, cancellation), own);
        }
        catch
        {
            await connection.DisposeAsync();
            if (own is not null) await own.DisposeAsync();
            throw;
        }
    }
}
