using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Tests.Lanes;

public sealed class LaneHandshakeTests : LaneTestBase
{
    [Theory]
    [InlineData("digest-b", "print-a", "digest-a", "digest-b")]
    [InlineData("digest-a", "print-b", "print-a", "print-b")]
    public async Task Another_checkpoint_or_fingerprint_is_refused_naming_both(string digest, string print, string ours, string theirs)
    {
        var (a, addressA) = await StartAsync(Sys, "a", OnDemand);
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand, new(ProtocolVersion.Current, digest, print));
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(1, [addressA, addressB]);
        var failed = await SendAsync(a, b.Register(ProbeB().Ref));
        Assert.Equal(LaneFailure.Refused, failed.Reason);
        Assert.Contains($"\"{ours}\"", failed.Detail, StringComparison.Ordinal);
        Assert.Contains($"\"{theirs}\"", failed.Detail, StringComparison.Ordinal);
        Assert.Equal(1, b.Statistics.RefusedHandshakes);
    }

    [Fact]
    public async Task A_peer_with_an_older_plan_is_refused_until_it_has_the_newer_one()
    {
        var (a, addressA) = await StartAsync(Sys, "a", OnDemand with { ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand);
        a.SetPeers(41, [addressA, addressB]);
        b.SetPeers(42, [addressA, addressB]);
        var probe = ProbeB();
        var target = b.Register(probe.Ref);
        var failed = await SendAsync(a, target);
        Assert.Equal(LaneFailure.Refused, failed.Reason);
        Assert.Contains("epoch 41", failed.Detail, StringComparison.Ordinal);
        Assert.Contains("epoch 42", failed.Detail, StringComparison.Ordinal);

        a.SetPeers(42, [addressA, addressB]);
        a.SetPeers(40, []);
        a.Send(target, LaneClass.Request, Run(2), null, null, TestActor);
        await ReceiveAsync<LaneEnvelope>(probe);
    }

    [Fact]
    public async Task A_message_waits_while_the_newer_plan_is_on_its_way()
    {
        var (a, addressA) = await StartAsync(Sys, "a", OnDemand);
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand);
        a.SetPeers(1, [addressA, addressB]);
        b.SetPeers(2, [addressA, addressB]);
        var probe = ProbeB();
        a.Send(b.Register(probe.Ref), LaneClass.Request, Run(2), null, null, TestActor);
        await UntilAsync(() => b.Statistics.RefusedHandshakes > 0, "nobody is refused", a, b);
        a.SetPeers(2, [addressA, addressB]);
        await ReceiveAsync<LaneEnvelope>(probe);
    }

    [Fact]
    public async Task Other_incarnations_are_refused_naming_both()
    {
        var (a, addressA) = await StartAsync(Sys, "a", OnDemand);
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand);
        var formerB = addressB with { Node = NodeNamed("b", 77) };
        a.SetPeers(1, [addressA, formerB]);
        b.SetPeers(1, [addressA with { Node = NodeNamed("a", 88) }, addressB]);
        var failed = await SendAsync(a, b.Register(ProbeB().Ref) with { Node = formerB.Node });
        Assert.Equal(LaneFailure.Refused, failed.Reason);
        Assert.Contains($"\"{formerB.Node}\"", failed.Detail, StringComparison.Ordinal);
        Assert.Contains($"\"{b.Self}\"", failed.Detail, StringComparison.Ordinal);

        a.SetPeers(1, [addressA, addressB]);
        failed = await SendAsync(a, b.Register(ProbeB().Ref));
        Assert.Equal(LaneFailure.Refused, failed.Reason);
        Assert.Contains($"\"{a.Self}\"", failed.Detail, StringComparison.Ordinal);
        Assert.Contains($"\"{NodeNamed("a", 88)}\"", failed.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_without_a_peer_ends_its_connections()
    {
        var (a, b) = await StartPairAsync();
        var probe = ProbeB();
        a.Send(b.Register(probe.Ref), LaneClass.Request, Run(1), null, null, TestActor);
        await ReceiveAsync<LaneEnvelope>(probe);
        a.Subscribe(TestActor);
        b.SetPeers(2, []);
        Assert.Equal(b.Self, (await ExpectMsgAsync<LanePeerLost>(Patience)).Node);
    }

    [Fact]
    public async Task Another_protocol_version_is_refused_naming_both_on_either_side()
    {
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand);
        using var client = await RawLane.ConnectAsync(addressB.Lane);
        await client.SendAsync(Preamble(99));
        Assert.Equal(ProtocolVersion.Current, await Handshake.ReadPreambleAsync(client.Reader, default));
        var refused = Assert.IsType<LaneProtocol.Refused>(await Handshake.ReadAsync(client.Reader, default));
        Assert.Equal(LaneRefusal.Version, refused.Reason);
        Assert.Contains("version 99", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"speaks {ProtocolVersion.Current}", refused.Message, StringComparison.Ordinal);

        var (a, addressA) = await StartAsync(Sys, "a", OnDemand);
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        a.SetPeers(1, [addressA, new(NodeNamed("c"), "c", endpoint)]);
        a.Send(new(NodeNamed("c"), "/user/x", 1), LaneClass.Request, Run(1), null, null, TestActor);
        using var server = await RawLane.AcceptAsync(listener);
        await server.SendAsync(Preamble(99));
        var failed = await ExpectMsgAsync<LaneFailed>(Patience);
        Assert.Equal(LaneFailure.Refused, failed.Reason);
        Assert.Contains("version 99", failed.Detail, StringComparison.Ordinal);
        Assert.Contains($"speaks {ProtocolVersion.Current}", failed.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_is_closed()
    {
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand with { HandshakeTimeout = TimeSpan.FromMilliseconds(100) });
        using var client = await RawLane.ConnectAsync(addressB.Lane);
        await Handshake.ReadPreambleAsync(client.Reader, default);
        await client.UntilClosedAsync();
    }

    [Fact]
    public async Task A_handshake_that_trickles_ends_with_its_time()
    {
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand with { HandshakeTimeout = TimeSpan.FromMilliseconds(200) });
        using var client = await RawLane.ConnectAsync(addressB.Lane);
        var header = new byte[FrameHeader.Size];
        new FrameHeader(8000, FrameKind.Handshake, LaneClass.Control).Write(header);
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            foreach (var value in (byte[])[.. Preamble(ProtocolVersion.Current), .. header, .. new byte[8000]])
            {
                await client.SendAsync(new[] { value });
                await Task.Delay(5);
            }
        });
        Assert.Equal(1, b.Statistics.BrokenConnections);
    }

    [Fact]
    public async Task With_KeepConnected_peers_meet_before_anything_is_sent_and_meet_again()
    {
        var options = OnDemand with { KeepConnected = true, HeartbeatInterval = TimeSpan.FromMilliseconds(50) };
        var (a, addressA) = await StartAsync(Sys, "a", options);
        var (first, addressFirst) = await StartAsync(SystemB, "b", options);
        a.Subscribe(TestActor);
        a.SetPeers(1, [addressA, addressFirst]);
        first.SetPeers(1, [addressA, addressFirst]);
        Assert.Equal(first.Self, (await ExpectMsgAsync<LanePeerUp>(Patience)).Node);
        await first.DisposeAsync();
        Assert.Equal(first.Self, (await ExpectMsgAsync<LanePeerLost>(Patience)).Node);

        var (again, addressAgain) = await StartAsync(SystemB, "b", options with { Port = addressFirst.Lane.Port });
        again.SetPeers(1, [addressA, addressAgain]);
        Assert.Equal(again.Self, (await ExpectMsgAsync<LanePeerUp>(Patience)).Node);
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        var (_, address) = await StartAsync(Sys, "a", OnDemand);
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync(SystemB, "b", OnDemand with { Port = address.Lane.Port }));
        Assert.Contains($"port {address.Lane.Port} ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bad_options_are_all_named()
    {
        var error = Assert.Throws<InvalidDataException>(() => new LaneOptions { Port = 70_000, ChunkBytes = 1, HeartbeatDeadline = TimeSpan.Zero }.Validated());
        foreach (var fault in (string[])["Port is 70000", "ChunkBytes is 1", "HeartbeatDeadline is 00:00:00"])
            Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    private static byte[] Preamble(int version) => [.. Handshake.Magic, .. BitConverter.GetBytes(version)];

    private async Task<LaneFailed> SendAsync(Lane lane, LaneTarget target)
    {
        lane.Send(target, LaneClass.Request, Run(1), Bytes(10), null, TestActor);
        return await ExpectMsgAsync<LaneFailed>(Patience);
    }
}
