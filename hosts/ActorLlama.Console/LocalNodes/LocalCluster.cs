using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>
/// A cluster of node processes on this machine, on ports chosen by the operating system. None outlives this process, whatever ends it;
/// disposing ends them in order.
/// </summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(30);
    private readonly ChildThread _children = new();
    private readonly List<LocalNode> _nodes = [];

    /// <summary>Of each node: the how manieth it is, from 0, of all that were started.</summary>
    private readonly List<int> _numbers = [];

    private readonly LocalClusterOptions _options;
    private readonly string _config;

    private bool _keepLogs;
    private int _mended, _started;

    private LocalCluster(LocalClusterOptions options, string config, string logFolder) =>
        (_options, _config, LogFolder, _keepLogs) = (options, config, logFolder, options.LogFolder is not null);

    public IReadOnlyList<LocalNode> Nodes => _nodes;

    /// <summary>Where the logs are. A folder of our own goes when all ended well, and stays when somebody may want to read it.</summary>
    public string LogFolder { get; }

    /// <summary>Where clients attach: the first node that runs.</summary>
    public string Address => (_nodes.FirstOrDefault(n => !n.HasExited) ?? _nodes[0]).Address;

    /// <summary>
    /// Starts the processes and waits until each has told its address. Throws <see cref="LocalNodeException"/> when one ends before, after
    /// stopping the others.
    /// </summary>
    public static async Task<LocalCluster> StartAsync(LocalClusterOptions options, CancellationToken cancellation)
    {
        options.Checked();
        var config = options.ConfigFile ?? ProgramFiles.Config(options.Nodes == 1 ? "local-1.conf" : "local-3.conf");
        var logs = options.LogFolder ?? Path.Combine(Path.GetTempPath(), $"actorllama-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..6]}");
        var cluster = new LocalCluster(options, config, Path.GetFullPath(Directory.CreateDirectory(logs).FullName));
        try
        {
            // The first node's address is the others' seed.
            await cluster.AddAsync(seeds: [], cancellation);
            while (cluster._nodes.Count < options.Nodes) await cluster.AddAsync([cluster.Address], cancellation, wait: false);
            foreach (var node in cluster._nodes.Skip(1)) await node.WaitForAddressAsync(cancellation);
            return cluster;
        }
        catch
        {
            cluster._keepLogs = true;
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The folder of the certificate that this process calls the nodes with, or null.</summary>
    public string? Certificates => _options.Certificates;

    public Task<ClusterConnection> ConnectAsync(CancellationToken cancellation) =>
        WhileAllRunAsync(ClusterConnection.ConnectAsync(Address, Certificates, s_connect, cancellation), cancellation);

    /// <summary>
    /// Waits until the cluster is ready, telling how it is several times a second. Throws <see cref="LocalNodeException"/> when a node ends or the
    /// cluster says that it cannot serve.
    /// </summary>
    public async Task WaitUntilReadyAsync(ClusterConnection connection, Action<ClusterProtocol.Status>? onStatus, CancellationToken cancellation)
    {
        while (true)
        {
            if (_nodes.FirstOrDefault(n => n.HasExited) is { } ended) throw ended.Fault();
            if (await TryGetStatusAsync(connection, cancellation) is { } status)
            {
                onStatus?.Invoke(status);
                if (status.State == ClusterState.Ready) return;
                if (status.State == ClusterState.Degraded) throw CannotServe(status);
            }

            await Task.Delay(s_poll, cancellation);
        }
    }

    /// <summary>What to throw when the cluster says that it cannot serve, before it ever could.</summary>
    public LocalNodeException CannotServe(ClusterProtocol.Status status)
    {
        _keepLogs = true;
        return new LocalNodeException($"Cluster: it cannot serve: {status.Reason} (logs: {LogFolder})");
    }

    /// <summary>The cluster's status, or null when nobody answers just now.</summary>
    /// <param name="connection">To the cluster.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <param name="answer">How long to wait for an answer; null: two seconds.</param>
    public static async Task<ClusterProtocol.Status?> TryGetStatusAsync(ClusterConnection connection, CancellationToken cancellation, TimeSpan? answer = null)
    {
        try
        {
            return await connection.GetStatusAsync(answer ?? s_answer, cancellation);
        }
        catch (ClusterUnreachableException)
        {
            return null;
        }
    }

    /// <summary>Starts a new process for each node whose process has ended; they join through any that runs. Returns how many.</summary>
    public async Task<int> MendAsync(CancellationToken cancellation)
    {
        var ended = Enumerable.Range(0, _nodes.Count).Where(i => _nodes[i].HasExited).ToArray();
        foreach (var i in ended)
        {
            string[] seeds = [.. _nodes.Where(node => !node.HasExited).Select(node => node.Address)];
            await _nodes[i].DisposeAsync();
            _nodes[i] = await StartAsync(_numbers[i], seeds, $".{++_mended}");
            await _nodes[i].WaitForAddressAsync(cancellation);
        }

        return ended.Length;
    }

    /// <summary>Starts one node more, which joins through the first that runs; returns it when it has told its address.</summary>
    public async Task<LocalNode> GrowAsync(CancellationToken cancellation)
    {
        await AddAsync([Address], cancellation);
        return _nodes[^1];
    }

    /// <summary>Stops a node in order; it is none of the cluster's any more.</summary>
    public async Task RemoveAsync(LocalNode node)
    {
        await node.DisposeAsync();
        var at = _nodes.IndexOf(node);
        _nodes.RemoveAt(at);
        _numbers.RemoveAt(at);
    }

    public async ValueTask DisposeAsync()
    {
        _keepLogs |= _nodes.Any(n => n.HasExited);
        await Task.WhenAll(_nodes.Select(n => n.DisposeAsync().AsTask()));
        _children.Dispose();
        if (!_keepLogs && Directory.Exists(LogFolder)) Directory.Delete(LogFolder, recursive: true);
    }

    private async Task AddAsync(string[] seeds, CancellationToken cancellation, bool wait = true)
    {
        _nodes.Add(await StartAsync(_started, seeds, ""));
        _numbers.Add(_started++);
        if (wait) await _nodes[^1].WaitForAddressAsync(cancellation);
    }

    private Task<LocalNode> StartAsync(int index, string[] seeds, string incarnation) => LocalNode.StartAsync(
        _children, $"node-{index + 1}", _config, _options.SettingsOf(index, seeds), Path.Combine(LogFolder, $"node-{index + 1}{incarnation}.log"), _options.PrefixOfNode(index));

    private async Task<T> WhileAllRunAsync<T>(Task<T> work, CancellationToken cancellation)
    {
        var ended = Task.WhenAny(_nodes.Select(n => n.Exited));
        if (await Task.WhenAny(work, ended).WaitAsync(cancellation) == work) return await work;
        throw _nodes.First(n => n.HasExited).Fault();
    }
}
