using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Trust;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;

namespace ActorLlama.Runtime.Tests.Trust;

/// <summary>Akka's port with the settings of a node, plain and with certificates: who gets in, and what garbage and silence cost.</summary>
public sealed class AkkaPortTests : IAsyncLifetime
{
    private const long Flat = 8L << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(5);
    private readonly TestCertificates _certificates = new();
    private readonly List<ActorSystem> _systems = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await Task.WhenAll(_systems.Select(s => s.Terminate()));
        _certificates.Dispose();
    }

    [Fact]
    public async Task With_certificates_nodes_and_clients_get_in_and_nobody_else()
    {
        var node = Start(_certificates.Node);
        var warnings = new Warnings(node);
        await AnswersAsync(node, _certificates.Node);
        await AnswersAsync(node, _certificates.Client);
        // That they have gone again may be told.
        Assert.DoesNotContain(warnings.All, line => line.Contains("refused", StringComparison.Ordinal) || line.Contains("TLS", StringComparison.Ordinal));
        foreach (var (who, options, why) in _certificates.Refused())
        {
            await ClosedAsync(node, async socket =>
            {
                var tls = new SslStream(socket);
                await tls.AuthenticateAsClientAsync(options);
                return tls;
            });
            await warnings.SaidAsync(who, "127.0.0.1", who == "nobody" ? "did not provide a certificate" : why);
        }

        await ClosedAsync(node, async socket =>
        {
            await socket.WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
            return socket;
        });
        await warnings.SaidAsync("plain TCP", "127.0.0.1", "TLS handshake failure");
        await AnswersAsync(node, _certificates.Node);
    }

    [Theory]
    [InlineData(true, "not by this cluster's authority")]
    [InlineData(false, "does not name the host \"127.0.0.1\"")]
    public async Task A_node_calls_nobody_who_is_not_believed(bool isStranger, string why)
    {
        var other = Start(isStranger ? _certificates.Stranger : _certificates.Elsewhere);
        string[] words = [$"{AddressOf(other)["akka.".Length..]} refused", why];
        // Another node, until one has seen why: a handshake that takes too long is given up before there is anything to say.
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var node = Start(_certificates.Node);
            var warnings = new Warnings(node);
            await Assert.ThrowsAsync<ActorNotFoundException>(() => node.ActorSelection(AddressOf(other) + "/user/known").ResolveOne(s_call));
            // Akka's own answer, which no setting takes back: a node then leaves, and joins again as another.
            await node.WhenTerminated.WaitAsync(s_patience);
            if (warnings.Said(words)) break;
            Assert.True(clock.Elapsed < s_patience, $"No line has {string.Join(" and ", words)}: {string.Join(" | ", warnings.All.TakeLast(6).Select(line => line.Split('\n')[0]))}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Garbage_and_silence_end_their_connections_only(bool isEncrypted)
    {
        var node = Start(isEncrypted ? _certificates.Node : null, "akka.remote.dot-netty.tcp.connection-timeout = 1s");
        var oversized = new byte[64];
        BinaryPrimitives.WriteInt32BigEndian(oversized, int.MaxValue);
        BinaryPrimitives.WriteInt32LittleEndian(oversized.AsSpan(8), int.MaxValue);
        byte[] small = [0, 0, 0, 12, .. Enumerable.Range(0, 60).Select(i => (byte)(i * 37))];
        byte[] littleEndian = [12, 0, 0, 0, .. Enumerable.Range(0, 60).Select(i => (byte)(i * 37))];
        var random = new byte[4000];
        new Random(1).NextBytes(random);
        byte[][] inputs = [oversized, small, littleEndian, random, []];
        // Other tests of this process take memory as well, now and then: what is left behind here is left behind in every round.
        const int rounds = 5;
        var (used, least) = (0L, long.MaxValue);
        for (var round = 0; round < rounds && (round < 2 || least > Flat); round++)
        {
            var hostile = inputs.SelectMany(input => Enumerable.Range(0, 10).Select(_ => ClosedAsync(node, async socket =>
            {
                await socket.WriteAsync(input);
                return socket;
            }))).ToArray();
            await AnswersAsync(node, isEncrypted ? _certificates.Node : null);
            await Task.WhenAll(hostile);
            var now = GC.GetTotalMemory(forceFullCollection: true);
            if (round > 0) least = Math.Min(least, now - used);
            used = now;
        }

        Assert.InRange(least, long.MinValue, Flat);
    }

    private ActorSystem Start(ClusterCredentials? credentials, string more = "")
    {
        var config = ConfigurationFactory.ParseString($$"""
            {{more}}
            akka.loggers = []
            akka.stdout-loglevel = OFF
            akka.extensions = []
            akka.actor.provider = remote
            akka.remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0, enable-ssl = {{(credentials is null ? "off" : "on")}} }
            """).WithFallback(HoconFiles.Reference);
        var setup = ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config));
        var system = ActorSystem.Create("port", credentials is null ? setup : setup.And(credentials.ForAkka()));
        system.ActorOf(Props.Create(() => new Known()), "known");
        _systems.Add(system);
        return system;
    }

    /// <summary>Another system finds an actor of this one.</summary>
    private async Task AnswersAsync(ActorSystem node, ClusterCredentials? credentials)
    {
        var other = Start(credentials);
        Assert.NotNull(await other.ActorSelection(AddressOf(node) + "/user/known").ResolveOne(s_patience));
        _systems.Remove(other);
        await other.Terminate();
    }

    private static string AddressOf(ActorSystem system) => ((ExtendedActorSystem)system).Provider.DefaultAddress.ToString();

    /// <summary>The node ends the connection by itself, whether it answers before or not.</summary>
    private static async Task ClosedAsync(ActorSystem node, Func<NetworkStream, Task<Stream>> talk)
    {
        var address = ((ExtendedActorSystem)node).Provider.DefaultAddress;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address.Host, address.Port!.Value);
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            var talking = await talk(stream);
            var scratch = new byte[4096];
            while (await talking.ReadAsync(scratch, patience.Token) > 0) continue;
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            // Closed in the middle.
        }
    }

    private sealed class Known : UntypedActor
    {
        protected override void OnReceive(object message) => Unhandled(message);
    }

    /// <summary>What a system warns of.</summary>
    private sealed class Warnings
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _said = new();

        public Warnings(ActorSystem system) => system.EventStream.Subscribe(
            system.ActorOf(Props.Create(() => new Listener(_said))), typeof(LogEvent));

        public IEnumerable<string> All => _said;

        public bool Said(string[] words) => _said.Any(line => words.All(word => line.Contains(word, StringComparison.Ordinal)));

        public async Task SaidAsync(string who, params string[] words)
        {
            var clock = Stopwatch.StartNew();
            while (!Said(words))
            {
                Assert.True(clock.Elapsed < s_patience, $"{who}: no line has {string.Join(" and ", words)}: {string.Join(" | ", _said.TakeLast(6).Select(line => line.Split('\n')[0]))}");
                await Task.Delay(20);
            }
        }

        private sealed class Listener(System.Collections.Concurrent.ConcurrentQueue<string> said) : UntypedActor
        {
            protected override void OnReceive(object message)
            {
                if (message is Warning or Error) said.Enqueue(message.ToString()!);
            }
        }
    }
}
