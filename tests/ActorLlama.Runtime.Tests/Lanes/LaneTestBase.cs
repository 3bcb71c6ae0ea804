using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.TestKit;

namespace ActorLlama.Runtime.Tests.Lanes;

/// <summary>Lane tests count payloads of the whole process, so nothing runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LaneCollection
{
    public const string Name = "lanes";
}

/// <summary>Nodes A and B, each an actor system with a lane on loopback.</summary>
[Collection(LaneCollection.Name)]
public abstract class LaneTestBase() : Akka.TestKit.Xunit2.TestKit(Config), IAsyncLifetime
{
    private protected const string Config = "akka { loglevel = WARNING, actor.serialize-messages = on, log-dead-letters = off }";
    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private protected static readonly NodeProtocol.ModelIdentity Model = new(ProtocolVersion.Current, "digest-a", "print-a");
    private readonly List<Lane> _lanes = [];
    private readonly Dictionary<Lane, LaneEndpoint> _endpoints = [];
    private readonly long _payloadsBefore = Payload.Live;
    private ActorSystem? _systemB;

    private protected ActorSystem SystemB => _systemB ??= ActorSystem.Create("b", Config);

    /// <summary>Connects on demand; no time is short, so that a busy machine fails no test.</summary>
    private protected static LaneOptions OnDemand { get; } = new()
    {
        KeepConnected = false,
        ConnectTimeout = Patience,
        HandshakeTimeout = Patience,
        HeartbeatDeadline = Patience,
    };

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var lane in _lanes) await lane.DisposeAsync();
        if (_systemB is not null) await _systemB.Terminate();
    }

    private protected static NodeId NodeNamed(string name, long uid = 1) => new($"akka.tcp://{name}@127.0.0.1:1", uid);

    private protected async Task<(Lane Lane, NodeProtocol.NodeAddress Address)> StartAsync(
        ActorSystem system, string name, LaneOptions options, NodeProtocol.ModelIdentity? model = null, long uid = 1, ClusterCredentials? credentials = null)
    {
        var lane = new Lane(system, options, new LaneIdentity(NodeNamed(name, uid), model ?? Model), TimeProvider.System, credentials);
        _lanes.Add(lane);
        _endpoints[lane] = await lane.StartAsync();
        return (lane, new NodeProtocol.NodeAddress(lane.Self, name, _endpoints[lane]));
    }

    private protected async Task<(Lane A, Lane B)> StartPairAsync(LaneOptions? optionsA = null, LaneOptions? optionsB = null)
    {
        var (a, addressA) = await StartAsync(Sys, "a", optionsA ?? OnDemand);
        var (b, addressB) = await StartAsync(SystemB, "b", optionsB ?? optionsA ?? OnDemand);
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(1, [addressA, addressB]);
        return (a, b);
    }

    private protected LaneEndpoint EndpointOf(Lane lane) => _endpoints[lane];

    private protected TestProbe ProbeB() => CreateTestProbe(SystemB);

    private protected static ExpertProtocol.Run Run(int number) => new(CallOf(number), 1, [number]);

    private protected static ExpertProtocol.Ran Ran(int number) => new(CallOf(number));

    private protected static CallId CallOf(int number) => new(new BatchId(1, number, 0, 0), 0, 0, 0);

    private protected static BytesPayload Bytes(int count, int seed = 0)
    {
        var payload = BytesPayload.Rent(count);
        new Random(seed).NextBytes(payload.Memory.Span);
        return payload;
    }

    private protected static bool Holds(Payload? payload, int count, int seed = 0)
    {
        using var expected = Bytes(count, seed);
        return payload is BytesPayload bytes && bytes.Memory.Span.SequenceEqual(expected.Memory.Span);
    }

    private protected async Task UntilAsync(Func<bool> condition, string what, params Lane[] lanes) =>
        await AwaitConditionAsync(
            () => Task.FromResult(condition()), Patience, TimeSpan.FromMilliseconds(10),
            $"{what}; {string.Join("; ", lanes.Select(l => l.Statistics))}");

    private protected Task UntilNoPayloadAsync(params Lane[] lanes) =>
        UntilAsync(() => Payload.Live == _payloadsBefore && lanes.All(l => l.Statistics.LiveBuffers == 0), "payloads are left", lanes);

    private protected async Task<T> ReceiveAsync<T>(TestProbe probe) => await probe.ExpectMsgAsync<T>(Patience);
}
