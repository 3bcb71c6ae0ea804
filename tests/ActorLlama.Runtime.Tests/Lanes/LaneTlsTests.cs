using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Tests.Trust;
using Akka.Event;
using Akka.TestKit;

namespace ActorLlama.Runtime.Tests.Lanes;

/// <summary>The lane with certificates: who gets in, who does not, and what that costs the node.</summary>
public sealed class LaneTlsTests : LaneTestBase
{
    private readonly TestCertificates _certificates = new();

    protected override void AfterAll()
    {
        base.AfterAll();
        _certificates.Dispose();
    }

    [Fact]
    public async Task Messages_of_all_classes_and_sizes_travel_both_ways()
    {
        var (a, b) = await StartTlsPairAsync();
        var (atA, atB) = (CreateTestProbe(), ProbeB());
        var (targetA, targetB) = (a.Register(atA.Ref), b.Register(atB.Ref));
        foreach (var (laneClass, bytes) in new[] { (LaneClass.Control, 5), (LaneClass.Bulk, 3_000_000), (LaneClass.Request, 0), (LaneClass.Request, 300_000) })
        {
            a.Send(targetB, laneClass, Run(bytes), Bytes(bytes, bytes), targetA, TestActor);
            var received = await ReceiveAsync<LaneEnvelope>(atB);
            Assert.True(Holds(received.Payload, bytes, bytes));
            received.Payload!.Dispose();
            if (laneClass != LaneClass.Request) continue;
            b.Send(received.ReplyTo!.Value, LaneClass.Response, Ran(bytes), Bytes(bytes, 7), null, null);
            var answered = await ReceiveAsync<LaneEnvelope>(atA);
            Assert.True(Holds(answered.Payload, bytes, 7));
            answered.Payload!.Dispose();
        }
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task Who_is_not_believed_is_refused_and_logged_and_the_node_goes_on()
    {
        var (a, b) = await StartTlsPairAsync();
        var warnings = WarningsOfB();
        var refused = 0;
        foreach (var (who, options, why) in ((string, System.Net.Security.SslClientAuthenticationOptions, string)[])
            [.. _certificates.Refused(), ("a client", TestCertificates.Calling(_certificates.Client), "is a client's")])
        {
            using var peer = await TryConnectAsync(EndpointOf(b), options);
            if (peer is not null) await peer.UntilClosedAsync();
            await SaidAsync(warnings, who, "127.0.0.1", why);
            Assert.True(b.Statistics.BrokenConnections == ++refused, who);
            await GoesOnAsync(a, b);
        }

        using (var plain = await RawLane.ConnectAsync(EndpointOf(b)))
        {
            await Handshake.SendAsync(plain.Stream, withPreamble: true, HelloFrom("c"), default);
            await plain.UntilClosedAsync();
        }
        await SaidAsync(warnings, "plain TCP", "127.0.0.1", "did not shake hands with TLS");
        await GoesOnAsync(a, b);
        Assert.Equal(1, b.Statistics.Connections);
    }

    [Fact]
    public async Task A_node_calls_nobody_who_is_not_believed()
    {
        var (a, addressA) = await StartAsync(Sys, "a", OnDemand, credentials: _certificates.Node);
        foreach (var (theirs, why) in new[] { (_certificates.Stranger, "not by this cluster's authority"), (_certificates.Elsewhere, "\"127.0.0.1\""), (null, "TLS") })
        {
            var (b, addressB) = await StartAsync(SystemB, "b", OnDemand, credentials: theirs);
            a.SetPeers(1, [addressA, addressB]);
            b.SetPeers(1, [addressA, addressB]);
            a.Send(b.Register(ProbeB().Ref), LaneClass.Request, Run(1), Bytes(10), null, TestActor);
            var failed = await ExpectMsgAsync<LaneFailed>(Patience);
            Assert.Equal(LaneFailure.Refused, failed.Reason);
            Assert.Contains(why, failed.Detail, StringComparison.Ordinal);
            await b.DisposeAsync();
            a.SetPeers(1, [addressA]);
        }
        await UntilNoPayloadAsync(a);
    }

    [Fact]
    public async Task A_node_speaks_for_its_own_host_only()
    {
        var (_, b) = await StartTlsPairAsync();
        using var peer = await RawLane.ConnectAsync(EndpointOf(b), TestCertificates.Calling(_certificates.Elsewhere));
        var refused = Assert.IsType<LaneProtocol.Refused>(await peer.HelloAsync(HelloFrom("a")));
        Assert.Equal(LaneRefusal.Certificate, refused.Reason);
        Assert.Contains("CN=elsewhere", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"\"{NodeNamed("a")}\"", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_recorded_of_a_connection_opens_none()
    {
        var (a, b) = await StartTlsPairAsync();
        var warnings = WarningsOfB();
        Recorder? recorder = null;
        using (var peer = await RawLane.ConnectAsync(EndpointOf(b), TestCertificates.Calling(_certificates.Node), socket => recorder = new Recorder(socket)))
            Assert.IsType<LaneProtocol.Welcome>(await peer.HelloAsync(HelloFrom("c")));
        using var replayed = await RawLane.ConnectAsync(EndpointOf(b));
        await replayed.SendAsync(recorder!.Sent.ToArray());
        await replayed.UntilClosedAsync();
        await SaidAsync(warnings, "the replay", "127.0.0.1", "did not shake hands with TLS");
        await GoesOnAsync(a, b);
    }

    /// <summary>Half a TLS hello, then nothing: more of them than may be pending.</summary>
    [Fact]
    public async Task Peers_get_past_those_who_only_hold_a_place()
    {
        var (a, b) = await StartTlsPairAsync(OnDemand with { MaxPendingHandshakes = 4 });
        List<RawLane> silent = [];
        for (var i = 0; i < 12; i++)
        {
            silent.Add(await RawLane.ConnectAsync(EndpointOf(b)));
            await silent[^1].SendAsync(new byte[] { 22, 3, 1, 2, 0, 1 });
        }
        await GoesOnAsync(a, b);
        foreach (var first in silent.Take(8)) await first.UntilClosedAsync();
        silent.ForEach(s => s.Dispose());
    }

    private async Task<(Lane A, Lane B)> StartTlsPairAsync(LaneOptions? options = null)
    {
        var (a, addressA) = await StartAsync(Sys, "a", options ?? OnDemand, credentials: _certificates.Node);
        var (b, addressB) = await StartAsync(SystemB, "b", options ?? OnDemand, credentials: _certificates.Node);
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(1, [addressA, addressB]);
        await GoesOnAsync(a, b);
        return (a, b);
    }

    private async Task GoesOnAsync(Lane a, Lane b)
    {
        var probe = ProbeB();
        a.Send(b.Register(probe.Ref), LaneClass.Request, Run(1), Bytes(100), null, TestActor);
        (await ReceiveAsync<LaneEnvelope>(probe)).Payload!.Dispose();
    }

    private TestProbe WarningsOfB()
    {
        var probe = ProbeB();
        SystemB.EventStream.Subscribe(probe.Ref, typeof(Warning));
        return probe;
    }

    private static async Task SaidAsync(TestProbe warnings, string who, params string[] words)
    {
        var text = (await warnings.ExpectMsgAsync<Warning>(Patience)).ToString();
        Assert.All(words, word => Assert.True(text.Contains(word, StringComparison.Ordinal), $"{who}: \"{text}\" lacks \"{word}\""));
    }

    /// <summary>Null: refused before the handshake was over for the caller, as TLS 1.2 does.</summary>
    private static async Task<RawLane?> TryConnectAsync(LaneEndpoint endpoint, System.Net.Security.SslClientAuthenticationOptions options)
    {
        try
        {
            return await RawLane.ConnectAsync(endpoint, options);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            return null;
        }
    }

    private static LaneProtocol.Hello HelloFrom(string name) => new(NodeNamed(name), NodeNamed("b"), 5, Model, LaneSocket.Main, 1);

    /// <summary>Keeps what is sent through it.</summary>
    private sealed class Recorder(Stream socket) : Stream
    {
        public MemoryStream Sent { get; } = new();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => socket.Flush();

        public override int Read(byte[] buffer, int offset, int count) => socket.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => socket.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            Sent.Write(buffer, offset, count);
            socket.Write(buffer, offset, count);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Sent.Write(buffer.Span);
            return socket.WriteAsync(buffer, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) socket.Dispose();
            base.Dispose(disposing);
        }
    }
}
