using Akka.Actor;
using Akka.Cluster.Tools.Client;
using Akka.Cluster.Tools.PublishSubscribe;
using Akka.Configuration;
using ActorLlama.Protocol;

namespace ActorLlama.Client.Tests;

/// <summary>Real members over loopback with a real receptionist; the gate of the first does the work, the others pass on to it.</summary>
internal sealed class FakeCluster : IAsyncDisposable
{
    private const string Settings =
        """
        akka {
          loglevel = OFF
          stdout-loglevel = OFF
          extensions = ["Akka.Cluster.Tools.Client.ClusterClientReceptionistExtensionProvider, Akka.Cluster.Tools"]
          actor {
            provider = cluster
            serializers {
              json = "ActorLlama.Protocol.RefusingSerializer, ActorLlama.Protocol"
              cluster-message = "ActorLlama.Protocol.ClusterMessageSerializer, ActorLlama.Protocol"
            }
            serialization-bindings { "ActorLlama.Protocol.IClusterMessage, ActorLlama.Protocol" = cluster-message }
          }
          remote { log-remote-lifecycle-events = off, dot-netty.tcp { hostname = 127.0.0.1, port = 0 } }
          cluster { gossip-interval = 100ms, leader-actions-interval = 100ms, periodic-tasks-initial-delay = 100ms }
          coordinated-shutdown { run-by-clr-shutdown-hook = off }
        }
        """;

    private static readonly TimeSpan s_found = TimeSpan.FromSeconds(10);
    private readonly List<ActorSystem> _systems = [];

    public static ClusterProtocol.Model Model { get; } = new(
        "fake", new NodeProtocol.ModelIdentity(ProtocolVersion.Current, "digest", "fingerprint"),
        new ModelShape("fake", 8, 16, 64, 0, 0, 1, 1, 0, 4, []), true, false, new SamplingOptions(0, 1, 0, 0), 1, [2]);

    public string AddressOf(int node) => AddressIn(node).ToString();

    public static async Task<FakeCluster> StartAsync(int nodes, FakeGateActor.Faults faults)
    {
        var cluster = new FakeCluster();
        var gates = new List<IActorRef>();
        for (var i = 0; i < nodes; i++)
        {
            var system = ActorSystem.Create(ClusterAddress.System, ConfigurationFactory.ParseString(Settings)
                .WithFallback(ClusterClientReceptionist.DefaultConfig()).WithFallback(DistributedPubSub.DefaultConfig()));
            cluster._systems.Add(system);
            await Akka.Cluster.Cluster.Get(system).JoinAsync(cluster.AddressIn(0));
            gates.Add(system.ActorOf(Props.Create(() => new FakeGateActor(faults)), "gate"));
            ClusterClientReceptionist.Get(system).RegisterService(gates[i]);
            if (i > 0) gates[i].Tell(new FakeGateActor.ForwardTo(await system.ActorSelection(gates[0].Path.ToStringWithAddress(cluster.AddressIn(0))).ResolveOne(s_found)));
        }

        return cluster;
    }

    /// <summary>Takes a node's connections away without a word.</summary>
    public Task KillAsync(int node) => _systems[node].Terminate();

    public async ValueTask DisposeAsync() => await Task.WhenAll(_systems.Select(s => s.Terminate()));

    private Address AddressIn(int node) => ((ExtendedActorSystem)_systems[node]).Provider.DefaultAddress;
}
