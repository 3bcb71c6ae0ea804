using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;
using Akka.Configuration;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>
/// The product's path: a request over the lane to another node, which answers with a payload of the same size. Both ends are actors on
/// devices' threads, or called by the lane's own thread: the difference is what mailboxes cost.
/// </summary>
public sealed class LaneEcho : IAsyncDisposable
{
    private readonly ActorSystem _systemA, _systemB;
    private readonly Lane _a, _b;
    private readonly LaneClient _client;

    private LaneEcho(ActorSystem systemA, ActorSystem systemB, Lane a, Lane b, LaneClient client) =>
        (_systemA, _systemB, _a, _b, _client) = (systemA, systemB, a, b, client);

    public static async Task<LaneEcho> StartAsync(int bytes, bool withMailboxes)
    {
        var (systemA, a, addressA) = await StartNodeAsync("a");
        var (systemB, b, addressB) = await StartNodeAsync("b");
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(1, [addressA, addressB]);
        var server = b.Register(Listen(systemB, new LaneServer(b).Receive, withMailboxes));
        var client = new LaneClient(a, server, bytes);
        client.Ref = Listen(systemA, client.Receive, withMailboxes);
        client.Self = a.Register(client.Ref);
        return new LaneEcho(systemA, systemB, a, b, client);
    }

    /// <summary>That many round trips, one after the other.</summary>
    public Task RoundTripsAsync(int count)
    {
        var go = new LaneClient.Go(count);
        _client.Ref.Tell(go);
        return go.Done.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DisposeAsync();
        await _b.DisposeAsync();
        await Task.WhenAll(_systemA.Terminate(), _systemB.Terminate());
    }

    private static IActorRef Listen(ActorSystem system, Action<object> receive, bool withMailbox) => withMailbox
        ? system.ActorOf(Props.Create(() => new Listener(receive)).WithDispatcher(NodeDevice.DispatcherName(0)), "listener")
        : new DirectRef((ExtendedActorSystem)system, receive);

    private static async Task<(ActorSystem System, Lane Lane, NodeProtocol.NodeAddress Address)> StartNodeAsync(string name)
    {
        var system = ActorSystem.Create(name, ConfigurationFactory.ParseString($"akka.loglevel = WARNING\n{NodeDevice.DispatcherHocon(0)}"));
        var self = new NodeId($"akka.tcp://{name}@127.0.0.1:1", 1);
        var lane = new Lane(system, new LaneOptions(), new LaneIdentity(self, new(ProtocolVersion.Current, "digest", "print")), TimeProvider.System);
        return (system, lane, new(self, name, await lane.StartAsync()));
    }

    private sealed class Listener(Action<object> receive) : UntypedActor
    {
        protected override void OnReceive(object message) => receive(message);
    }

    /// <summary>Receives on the thread of whoever tells it something.</summary>
    private sealed class DirectRef(ExtendedActorSystem system, Action<object> receive) : MinimalActorRef
    {
        public override ActorPath Path { get; } = (system.Provider.RootPath / "user" / "direct").WithUid(1);

        public override IActorRefProvider Provider => system.Provider;

        protected override void TellInternal(object message, IActorRef sender) => receive(message);
    }
}
