using ActorLlama.Runtime.Tests.Trust;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;

namespace ActorLlama.Runtime.Tests.Nodes;

/// <summary>A node that calls somebody with a foreign certificate: Akka ends its actor system, and the host is told where it may join again.</summary>
public sealed class StrangerTests : IDisposable
{
    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);
    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [Fact]
    public async Task A_node_that_called_a_stranger_ends_and_may_join_again_through_the_others()
    {
        await using var first = await StartAsync("node-1", []);
        await using var second = await StartAsync("node-2", [first.Address]);
        using var stranger = Stranger();
        var address = ((ExtendedActorSystem)stranger).Provider.DefaultAddress;
        while (!second.Ended.IsCompleted)
            await Assert.ThrowsAsync<ActorNotFoundException>(() => second.Actors.ActorSelection($"{address}/user/nobody").ResolveOne(s_call).WaitAsync(s_patience));
        Assert.NotNull(await second.Ended);
        Assert.Equal([first.Address], second.MayJoinAgainAt.AsEnumerable());
        Assert.False(first.Ended.IsCompleted);
        await stranger.Terminate();
    }

    private Task<ActorLlamaNode> StartAsync(string name, string[] seeds) =>
        SmallNode.StartAsync(name, seeds, $"actorllama.security.certificates=\"{_certificates.Path("ours", TestCertificates.Host)}\"");

    private ActorSystem Stranger()
    {
        var config = ConfigurationFactory.ParseString("""
            akka.loggers = []
            akka.stdout-loglevel = OFF
            akka.actor.provider = remote
            akka.remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0, enable-ssl = on }
            """);
        return ActorSystem.Create(ActorLlamaNode.SystemName, ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config)).And(_certificates.Stranger.ForAkka()));
    }
}
