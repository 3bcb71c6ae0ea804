using ActorLlama.Protocol;
using ActorLlama.Runtime.Sessions;
using Akka.Actor;

namespace ActorLlama.Runtime.Tests.Sessions;

public sealed class ClientConnectionsTests
{
    private static readonly Address s_client = Address.Parse("akka.tcp://actorllama-client@10.0.0.7:4711");

    [Fact]
    public void The_sessions_of_a_client_are_those_that_came_through_its_tunnel_of_late()
    {
        var clients = new ClientConnections();
        clients.Hear(Tunnel(s_client, "a"), new("a"), "tunnel-a", 100);
        clients.Hear(Tunnel(s_client, "b"), new("b"), "tunnel-b", 200);
        clients.Hear(Tunnel(s_client, "b"), new("b"), "tunnel-b2", 300);
        clients.Hear(Tunnel(Address.Parse("akka.tcp://actorllama-client@10.0.0.8:4711"), "c"), new("c"), "tunnel-c", 300);
        clients.Hear("some-local-actor", new("d"), "d", 300);
        clients.Forget(150);
        Assert.Equal([(new SessionId("b"), "tunnel-b2")], clients.Lose(s_client));
        Assert.Empty(clients.Lose(s_client));
    }

    /// <summary>As Akka's receptionist names them.</summary>
    private static string Tunnel(Address address, string actor) =>
        Uri.EscapeDataString((new RootActorPath(address) / "user" / actor).ToSerializationFormat());
}
