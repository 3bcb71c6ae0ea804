using System.Collections.Immutable;
using System.Diagnostics;

namespace ActorLlama.Cli;

/// <summary>
/// A host for each node: network namespaces of this machine, joined by a bridge, on which we are too. Needs root and iproute2. Gone when disposed.
/// </summary>
internal sealed class ChaosNetwork : IAsyncDisposable
{
    private const string Subnet = "10.77.0.";

    /// <summary>The system takes namespaces and cables away a while after they were deleted: a network after another in one process has names of its own.</summary>
    private static int s_networks;

    // Names of devices have 15 characters at most.
    private readonly string _id = $"al{Environment.ProcessId % 100_000}{(char)('a' + (Interlocked.Increment(ref s_networks) % 26))}";
    private readonly int _nodes;

    private ChaosNetwork(int nodes) => _nodes = nodes;

    /// <summary>Throws <see cref="InvalidDataException"/> where namespaces cannot be had.</summary>
    public static async Task<ChaosNetwork> StartAsync(int nodes, CancellationToken cancellation)
    {
        var network = new ChaosNetwork(nodes);
        try
        {
            await RunAsync($"link add {network._id} type bridge", cancellation);
            await RunAsync($"addr add {Subnet}254/24 dev {network._id}", cancellation);
            await RunAsync($"link set {network._id} up", cancellation);
            for (var i = 0; i < nodes; i++)
            {
                await RunAsync($"netns add {network.Namespace(i)}", cancellation);
                await RunAsync($"link add {network.Cable(i)} type veth peer name eth0 netns {network.Namespace(i)}", cancellation);
                await RunAsync($"link set {network.Cable(i)} master {network._id} up", cancellation);
                await RunAsync($"-n {network.Namespace(i)} addr add {Host(i)}/24 dev eth0", cancellation);
                await RunAsync($"-n {network.Namespace(i)} link set eth0 up", cancellation);
                await RunAsync($"-n {network.Namespace(i)} link set lo up", cancellation);
            }

            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Settings of node <paramref name="node"/>, from 0.</summary>
    public static ImmutableArray<string> SettingsOf(int node, ChaosCertificates? certificates) =>
        [$"actorllama.cluster.host={Host(node)}", certificates?.SettingOf(Host(node)) ?? "actorllama.cluster.allow-plaintext=on"];

    /// <summary>The address of node <paramref name="node"/>, from 0.</summary>
    public static string Host(int node) => $"{Subnet}{node + 1}";

    /// <summary>What a node's command begins with to run on its host.</summary>
    public ImmutableArray<string> PrefixOf(int node) => ["ip", "netns", "exec", Namespace(node)];

    /// <summary>Pulls or plugs the node's cable: what is sent is lost, and nothing is refused.</summary>
    public Task PlugAsync(int node, bool isPlugged, CancellationToken cancellation) =>
        RunAsync($"link set {Cable(node)} {(isPlugged ? "up" : "down")}", cancellation);

    /// <summary>Stops what the node sends over lanes, or lets it through again: from its own lane port, and to those of others. All else goes on.</summary>
    public async Task StallAsync(int node, int own, IEnumerable<int> others, bool isStalled, CancellationToken cancellation)
    {
        var verb = isStalled ? "add" : "del";
        await RunAsync($"-n {Namespace(node)} rule {verb} ipproto tcp sport {own} blackhole", cancellation);
        foreach (var port in others.Distinct()) await RunAsync($"-n {Namespace(node)} rule {verb} ipproto tcp dport {port} blackhole", cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < _nodes; i++) await TryRunAsync($"netns del {Namespace(i)}");
        await TryRunAsync($"link del {_id}");
    }

    private string Namespace(int node) => $"{_id}-{node + 1}";

    private string Cable(int node) => $"{_id}v{node + 1}";

    private static async Task RunAsync(string arguments, CancellationToken cancellation)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
            var error = await process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            if (process.ExitCode != 0) throw new InvalidDataException($"Chaos: \"ip {arguments}\": {error.Trim()} Hosts of their own need root, namespaces and iproute2.");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidDataException($"Chaos: \"ip\" cannot be started: {e.Message}. Hosts of their own need iproute2.", e);
        }
    }

    /// <summary>For the end, where what is missing may never have been there.</summary>
    private static async Task TryRunAsync(string arguments)
    {
        try
        {
            await RunAsync(arguments, CancellationToken.None);
        }
        catch (InvalidDataException)
        {
        }
    }
}
