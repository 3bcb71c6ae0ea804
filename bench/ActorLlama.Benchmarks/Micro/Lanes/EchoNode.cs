using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.Configuration;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>A lane with one actor that listens, and as much of a node around it as they need.</summary>
internal sealed class EchoNode : IAsyncDisposable
{
    public const string Host = "127.0.0.1";
    private readonly ActorSystem _system;
    private readonly string _name;

    private EchoNode(ActorSystem system, string name, Lane lane, LaneEndpoint endpoint) => (_system, _name, Lane, Port) = (system, name, lane, endpoint.Port);

    public Lane Lane { get; }

    public int Port { get; }

    /// <param name="name">Its system.</param>
    /// <param name="certificates">The folder of its certificate, or null: nothing is encrypted.</param>
    public static async Task<EchoNode> StartAsync(string name, string? certificates)
    {
        var system = ActorSystem.Create(name, ConfigurationFactory.ParseString($"akka.loglevel = WARNING\n{NodeDevice.DispatcherHocon(0)}"));
        // Held as long as the process, which is short.
        var credentials = certificates is null ? null : ClusterCredentials.LoadNode(certificates, Host, TimeProvider.System);
        var lane = new Lane(system, new LaneOptions(), new LaneIdentity(Id(name), new(ProtocolVersion.Current, "digest", "print")), TimeProvider.System, credentials);
        return new EchoNode(system, name, lane, await lane.StartAsync());
    }

    /// <summary>From now on this node and that one, whose lane is at <paramref name="port"/>, may speak.</summary>
    public void Meet(string other, int port) => Lane.SetPeers(1, [Address(_name, Port), Address(other, port)]);

    /// <summary>An actor on a device's thread, or one that is called by whoever tells it something.</summary>
    public (IActorRef Ref, LaneTarget Target) Listen(Action<object> receive, bool withMailbox)
    {
        var listener = withMailbox
            ? _system.ActorOf(Props.Create(() => new Listener(receive)).WithDispatcher(NodeDevice.DispatcherName(0)), "listener")
            : new DirectRef((ExtendedActorSystem)_system, receive);
        return (listener, Lane.Register(listener));
    }

    public async ValueTask DisposeAsync()
    {
        await Lane.DisposeAsync();
        await _system.Terminate();
    }

    public static NodeId Id(string name) => new($"akka.tcp://{name}@{Host}:1", 1);

    private static NodeProtocol.NodeAddress Address(string name, int port) => new(Id(name), name, new LaneEndpoint(Host, port));

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
