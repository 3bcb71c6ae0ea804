using System.Net.Sockets;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>A connection to a running cluster, or to one of our own on this machine that ends with it.</summary>
internal sealed class Attachment : IAsyncDisposable
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(10);

    private Attachment(ClusterConnection connection, ClusterProtocol.Model model, LocalCluster? own) =>
        (Connection, Model, Own) = (connection, model, own);

    public ClusterConnection Connection { get; }

    public ClusterProtocol.Model Model { get; }

    /// <summary>The node processes that end with it; null for a cluster of others.</summary>
    public LocalCluster? Own { get; }

    /// <summary>A connection to the cluster at <paramref name="address"/>. A machine that says that nobody listens there is believed at once.</summary>
    /// <param name="address">A node of it.</param>
    /// <param name="certificates">The folder of a client's certificate, or null for a cluster without any.</param>
    /// <param name="cancellation">Ends the try.</param>
    public static async Task<ClusterConnection> ConnectAsync(string address, string? certificates, CancellationToken cancellation)
    {
        await ThrowIfNobodyListensAsync(address, isEncrypted: certificates is not null, cancellation);
        return await ClusterConnection.ConnectAsync(address, certificates, s_connect, cancellation);
    }

    /// <summary>Attaches to the cluster at <paramref name="address"/>.</summary>
    public static async Task<Attachment> ToAsync(string address, string? certificates, CancellationToken cancellation) =>
        await FinishAsync(await ConnectAsync(address, certificates, cancellation), own: null, cancellation);

    /// <summary>
    /// Starts node processes here and attaches when they are ready. <paramref name="onStatus"/> is told how they are meanwhile; without it progress is
    /// shown on standard error.
    /// </summary>
    public static async Task<Attachment> ToOwnAsync(
        LocalClusterOptions options, CancellationToken cancellation, Action<ClusterProtocol.Status>? onStatus = null)
    {
        var own = await LocalCluster.StartAsync(options, cancellation);
        ClusterConnection? connection = null;
        try
        {
            connection = await own.ConnectAsync(cancellation);
            var entered = connection;
            await (onStatus is not null
                ? own.WaitUntilReadyAsync(entered, onStatus, cancellation)
                : ByteProgress.ShowAsync(report => own.WaitUntilReadyAsync(entered, new LoadingReport(report, TimeProvider.System).Note, cancellation)));
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
        if (Own is not null) await Own.DisposeAsync();
    }

    /// <summary>Throws <see cref="ClusterUnreachableException"/> when the machine at the address says so; nothing follows from its silence.</summary>
    private static async Task ThrowIfNobodyListensAsync(string address, bool isEncrypted, CancellationToken cancellation)
    {
        var node = ClusterAddress.Parse(address, isEncrypted);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_connect);
        try
        {
            await socket.ConnectAsync(node.Host, node.Port!.Value, patience.Token);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostNotFound)
        {
            throw new ClusterUnreachableException(
                $"Cluster: nobody listens at \"{node.Host}:{node.Port}\" ({e.Message}). Start a node there, or name another with --cluster.", e);
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            // Unclear: the connection itself has its own patience and its own words.
        }
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
