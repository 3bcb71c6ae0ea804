using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Kernels;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Telemetry;
using ActorLlama.Text;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Configuration;
using Akka.Event;

namespace ActorLlama.Runtime;

/// <summary>
/// One running node: checkpoint, backends, actor system and lane, started in that order and ended in the reverse. The host's only handle.
/// </summary>
public sealed class ActorLlamaNode : IAsyncDisposable
{
    public const string SystemName = "actorllama";

    /// <summary>In place of a numeric fingerprint where kinds of devices mix: equal on all such nodes, and unlike that of any device.</summary>
    private const string MixedFingerprint = "mixed";
    private static readonly TimeSpan s_leaveTimeout = TimeSpan.FromSeconds(8);

    private readonly NodeModel _model;
    private readonly ImmutableArray<NodeDevice> _devices;
    private readonly ClusterCredentials? _credentials;
    private readonly NodeGauges _gauges = new();
    private readonly NodeEnd _end = new();
    private ActorSystem? _system;
    private Lane? _lane;

    private ActorLlamaNode(NodeModel model, ImmutableArray<NodeDevice> devices, ClusterCredentials? credentials) =>
        (_model, _devices, _credentials) = (model, devices, credentials);

    public string Name { get; private set; } = "";

    /// <summary>Its actors, while it runs.</summary>
    internal ActorSystem Actors => _system ?? throw new InvalidOperationException("The node has not started.");

    /// <summary>Cluster address, "akka.tcp://actorllama@HOST:PORT".</summary>
    public string Address { get; private set; } = "";

    public LaneEndpoint LaneEndpoint { get; private set; }

    /// <summary>Warnings about the checkpoint and the certificate, for the log.</summary>
    public ImmutableArray<string> Warnings => [.. _model.Checkpoint.Warnings, .. _credentials?.Warnings ?? []];

    /// <summary>
    /// Ends when the node is to end: with the reason why it can no longer serve, refused or removed by the cluster; or with null when it was asked to start again.
    /// </summary>
    public Task<string?> Ended => _end.Told;

    /// <summary>The addresses of the cluster's other nodes, as the latest plan has them.</summary>
    public ImmutableArray<string> Others => _lane is null ? [] : [.. _lane.Peers.Select(p => p.Address)];

    /// <summary>
    /// When the cluster removed it: the addresses of the others, through which a new node may join again. Empty when there is nobody, or the cluster wants none of it.
    /// </summary>
    public ImmutableArray<string> MayJoinAgainAt { get; private set; } = [];

    /// <summary>
    /// Starts a node and joins its cluster. Bad settings, a bad checkpoint, a device that does not exist, a port in use and a cluster that cannot
    /// be joined are each an <see cref="InvalidDataException"/>; nothing is left running then.
    /// </summary>
    /// <param name="options">Its settings.</param>
    /// <param name="training">What training adds; null: the node takes no part in training.</param>
    public static async Task<ActorLlamaNode> StartAsync(NodeOptions options, NodeTraining? training = null)
    {
        var credentials = options.Certificates.Length == 0 ? null : ClusterCredentials.LoadNode(options.Certificates, options.Cluster.Host, TimeProvider.System);
        NodeModel? model = null;
        var devices = ImmutableArray<NodeDevice>.Empty;
        ActorLlamaNode? node = null;
        try
        {
            options = Placed(options);
            model = OpenModel(options);
            foreach (var device in options.Devices)
                devices = devices.Add(new(
                    device, BackendFactory.Create(device, model.Config, options.Model), NodeDevice.DispatcherName(devices.Length), new DeviceLoader(device.Name, options.Model.LoadStall, device.Processors, options.Model.LoadRate)));
            model = model with { Identity = model.Identity with { NumericFingerprint = options.Model.MixesNumerics ? MixedFingerprint : Fingerprint(devices) } };
            node = new ActorLlamaNode(model, devices, credentials);
            await node.RunAsync(options, training);
            return node;
        }
        catch
        {
            if (node is not null) await node.DisposeAsync();
            else Release(devices, model, credentials);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _gauges.Metrics.Dispose();
        if (_system is { } system)
        {
            var left = CoordinatedShutdown.Get(system).Run(CoordinatedShutdown.ClrExitReason.Instance);
            await Task.WhenAny(left, Task.Delay(s_leaveTimeout));
            var ended = system.Terminate();
            await Task.WhenAny(ended, Task.Delay(s_leaveTimeout));
            if (_lane is not null) await _lane.DisposeAsync();
            // Weights are freed by their actors; what they read from stays mapped until those have stopped.
            if (!ended.IsCompleted) return;
            EndedSystem.Free(system);
        }

        Release(_devices, _model, _credentials);
    }

    private async Task RunAsync(NodeOptions options, NodeTraining? training)
    {
        var system = _system = CreateSystem(options, _credentials);
        var cluster = Cluster.Get(system);
        var self = new NodeId(cluster.SelfAddress.ToString(), cluster.SelfUniqueAddress.Uid);
        options = options with { Name = options.Name.Length > 0 ? options.Name : $"node-{cluster.SelfAddress.Port}" };
        (Name, Address) = (options.Name, self.Address);
        _lane = new Lane(system, options.Lane, new LaneIdentity(self, _model.Identity), TimeProvider.System, _credentials);
        LaneEndpoint = await _lane.StartAsync();
        var node = new NodeContext(options, self, _model, _lane, LaneEndpoint, new RouteBoard(), _gauges, TimeProvider.System) { Training = training };
        NodeObservations.Register(_gauges.Metrics.Meter, node, _devices);
        foreach (var device in options.Devices.Where(d => !d.Processors.IsEmpty))
            system.Log.Info("Threads of {Device} stay on processors {Processors}", device.Name, string.Join(", ", device.Processors));
        NodeActors.Start(system, node, _devices, _end);
        cluster.RegisterOnMemberRemoved(() => Lose("it was removed from the cluster", options.Cluster.Seeds));
        // Akka ends a system that has called somebody whom it does not believe.
        _ = system.WhenTerminated.ContinueWith(_ => Lose("Akka has ended its actor system", options.Cluster.Seeds), TaskScheduler.Default);
        await JoinAsync(cluster, options.Cluster);
    }

    /// <summary>It is no member any more, though nobody asked for that: it may join again.</summary>
    private void Lose(string why, ImmutableArray<string> seeds)
    {
        if (!_end.Told.IsCompleted) MayJoinAgainAt = Through(Others, seeds, Address);
        _end.Fail(why);
    }

    /// <summary>Nodes of the plan, then seeds: one that was removed before it had a plan knows nobody else. Never itself.</summary>
    internal static ImmutableArray<string> Through(ImmutableArray<string> others, ImmutableArray<string> seeds, string self) => [.. others.Union(seeds).Where(node => node != self)];

    private static async Task JoinAsync(Cluster cluster, ClusterOptions options)
    {
        var seeds = options.Seeds.IsEmpty ? [cluster.SelfAddress] : options.Seeds.Select(Akka.Actor.Address.Parse).ToArray();
        using var timeout = new CancellationTokenSource(options.JoinTimeout);
        try
        {
            await (seeds.SequenceEqual([cluster.SelfAddress])
                ? cluster.JoinAsync(cluster.SelfAddress, timeout.Token)
                : cluster.JoinSeedNodesAsync(seeds, timeout.Token));
        }
        catch (Exception e) when (timeout.IsCancellationRequested || e is ClusterJoinFailedException)
        {
            throw new InvalidDataException(
                $"Cluster: no node at \"{string.Join("\", \"", seeds.Select(s => s.ToString()))}\" let this one join within "
                + $"{options.JoinTimeout.TotalSeconds:0.#} s. Start one of them, or correct actorllama.cluster.seeds.", e);
        }
    }

    private static ActorSystem CreateSystem(NodeOptions options, ClusterCredentials? credentials)
    {
        var own = $$"""
            akka.remote.dot-netty.tcp { hostname = "{{options.Cluster.Host}}", port = {{options.Cluster.Port}}, enable-ssl = {{(credentials is null ? "off" : "on")}} }
            akka.cluster.roles = [{{string.Join(", ", options.Roles)}}]
            {{string.Join('\n', options.Devices.Select((d, i) => NodeDevice.DispatcherHocon(i, d.Processors.IsEmpty ? null : d.Processors[0])))}}
            """;
        try
        {
            ProbeEndpoint(options.Cluster);
            ActorSystemSetup setup = ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(ConfigurationFactory.ParseString(own).WithFallback(options.Akka)));
            return ActorSystem.Create(SystemName, credentials is null ? setup : setup.And(credentials.ForAkka()));
        }
        // Twice: the base of an aggregate is the first that is none, and that one has a cause of its own.
        catch (Exception e) when (e.GetBaseException().GetBaseException() is System.Net.Sockets.SocketException socket)
        {
            throw new InvalidDataException(
                $"Cluster: cannot listen on {options.Cluster.Host}:{options.Cluster.Port}: {socket.Message}. "
                + "Choose another actorllama.cluster.port, or 0 for a free one.", e);
        }
    }

    /// <summary>Throws where the address cannot be listened on: Akka would fill the log with traces before it says so.</summary>
    private static void ProbeEndpoint(ClusterOptions cluster)
    {
        using var probe = new System.Net.Sockets.TcpListener(System.Net.Dns.GetHostAddresses(cluster.Host)[0], cluster.Port);
        probe.Start();
    }

    private static NodeOptions Placed(NodeOptions options)
    {
        if (!options.PlacesThreads) return options;
        var processors = ThreadPlacement.Of(CpuTopology.OfThisMachine(), [.. options.Devices.Select(d => d.Backend == BackendKind.Cpu ? d.Threads : 0)]);
        return options with { Devices = [.. options.Devices.Select((device, i) => device with { Processors = processors[i] })] };
    }

    private static NodeModel OpenModel(NodeOptions options)
    {
        var checkpoint = options.Model.Serves ? CheckpointDirectory.Open(options.Model.Path) : CheckpointDirectory.OpenConfig(options.Model.Path);
        try
        {
            var config = checkpoint.Config;
            var tokenizer = checkpoint.TokenizerPath is null
                ? null
                : LlamaTokenizer.Load(checkpoint.TokenizerPath, new TokenizerOptions(config.VocabSize, config.BosId, config.EosIds, config.PadId));
            return new NodeModel
            {
                Checkpoint = checkpoint,
                Tokenizer = tokenizer,
                Shape = options.Model.Serves
                    ? ModelShapes.Of(checkpoint, options.Model.Dtype)
                    : ModelShapes.Of("none", checkpoint.Config, ElementType.BFloat16, options.Model.Dtype),
                Identity = new(ProtocolVersion.Current, checkpoint.Digest, ""),
                AllowNaN = options.Model.AllowNaN,
            };
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private static string Fingerprint(ImmutableArray<NodeDevice> devices) =>
        string.Join('+', devices.Select(d => d.Backend.NumericFingerprint).Distinct().Order(StringComparer.Ordinal));

    private static void Release(ImmutableArray<NodeDevice> devices, NodeModel? model, ClusterCredentials? credentials)
    {
        credentials?.Dispose();
        foreach (var device in devices) device.Dispose();
        if (devices.All(device => device.Loader.HasEnded)) model?.Dispose();
    }
}
