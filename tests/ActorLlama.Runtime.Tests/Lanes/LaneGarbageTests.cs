using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using ActorLlama.TestKit;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Tests.Lanes;

public sealed class LaneGarbageTests : LaneTestBase
{
    private static (string What, byte[] Bytes)[] Broken =>
    [
        ("oversized", Frame(FrameKind.Message, LaneClass.Request, length: (1 << 20) + 1)),
        ("negative length", Frame(FrameKind.Message, LaneClass.Request, length: -1)),
        ("unknown kind", Frame((FrameKind)99, LaneClass.Request)),
        ("unknown class", Frame(FrameKind.Message, (LaneClass)9)),
        ("nonzero padding", [0, 0, 0, 0, (byte)FrameKind.Ping, 0, 1, 0]),
        ("credit to the receiver", Frame(FrameKind.Credit, LaneClass.Control, 1, 2, 3, 4, 5, 6, 7, 8)),
        ("second handshake", Frame(FrameKind.Handshake, LaneClass.Control, 0, 0)),
        ("chunk of nothing", Frame(FrameKind.Chunk, LaneClass.Request, 1, 2, 3)),
        ("empty message", Frame(FrameKind.Message, LaneClass.Request)),
        ("garbage message", Frame(FrameKind.Message, LaneClass.Request, [.. Enumerable.Range(0, 200).Select(i => (byte)(i * 7))])),
        ("ping with a body", Frame(FrameKind.Ping, LaneClass.Control, new byte[1])),
        ("bulk on the main socket", Message(new(1, Known, LaneClass.Bulk, Run(1), null, null, false, ActorRefs.Nobody))),
        ("response to nothing", Message(new(1, Known with { Request = 0 }, LaneClass.Response, Run(1), null, null, false, ActorRefs.Nobody))),
        ("request that answers", Message(new(1, Known with { Request = 5 }, LaneClass.Request, Run(1), null, null, false, ActorRefs.Nobody))),
        ("payload beyond the limit", Message(new(1, Known, LaneClass.Request, Run(1), new ClaimedPayload(200_000_000), null, false, ActorRefs.Nobody))),
        ("message inside a payload", [.. Message(Large(1)), .. Message(Large(2))]),
        ("chunk beyond the payload", [.. Message(Large(1)), .. Frame(FrameKind.Chunk, LaneClass.Request, new byte[1001])]),
        ("beyond the credit", [.. Enumerable.Range(0, 5).SelectMany(i => Message(new(i, Known, LaneClass.Request, Run(i), new ClaimedPayload(0), null, false, ActorRefs.Nobody)))]),
    ];

    private static LaneTarget Known => new(NodeNamed("b"), "/user/known", 0);

    [Fact]
    public async Task A_broken_frame_ends_its_connection_only()
    {
        var options = OnDemand with { MaxMessageBytes = 100_000_000, RequestWindowMessages = 4 };
        var (a, b) = await StartPairAsync(options);
        var probe = CreateTestProbe(SystemB, "p");
        var target = b.Register(probe.Ref);
        a.Send(target, LaneClass.Request, Run(1), Bytes(100), null, TestActor);
        (await ReceiveAsync<LaneEnvelope>(probe)).Payload!.Dispose();
        var known = SystemB.ActorOf(Props.Create(() => new Keeper()), "known");
        var uid = b.Register(known).Uid;

        var broken = 0;
        foreach (var (what, bytes) in Broken)
        {
            using var client = await RawLane.ConnectAsync(EndpointOf(b));
            Assert.IsType<LaneProtocol.Welcome>(await client.HelloAsync(HelloFrom("c" + broken)));
            await client.SendAsync(Retarget(bytes, uid));
            await client.UntilClosedAsync();
            Assert.True(b.Statistics.BrokenConnections == ++broken, what);
            a.Send(target, LaneClass.Request, Run(2), Bytes(100), null, TestActor);
            (await ReceiveAsync<LaneEnvelope>(probe)).Payload!.Dispose();
        }
        await UntilAsync(() => b.Statistics.Connections <= 2, "broken connections are kept", a, b);
        SystemB.Stop(known);
        await UntilNoPayloadAsync(a, b);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    [InlineData(500)]
    public async Task A_truncated_frame_leaves_nothing_behind(int count)
    {
        var (a, b) = await StartPairAsync();
        var uid = b.Register(SystemB.ActorOf(Props.Create(() => new Keeper()), "known")).Uid;
        byte[] whole = Retarget([.. Message(Large(1)), .. Frame(FrameKind.Chunk, LaneClass.Request, new byte[1000])], uid);
        using (var client = await RawLane.ConnectAsync(EndpointOf(b)))
        {
            await client.HelloAsync(HelloFrom("c"));
            await client.SendAsync(whole.AsMemory(0, count));
        }
        await UntilAsync(() => b.Statistics.BrokenConnections == 1, "the connection is not ended", b);
        await UntilNoPayloadAsync(a, b);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_is_no_lane_is_closed_at_once(int seed)
    {
        var (_, b) = await StartPairAsync();
        var garbage = new byte[4000];
        new Random(seed).NextBytes(garbage);
        using var client = await RawLane.ConnectAsync(EndpointOf(b));
        await client.SendAsync(garbage);
        await UntilAsync(() => b.Statistics.BrokenConnections == 1, "the connection is not ended", b);
    }

    /// <summary>An array of so many bytes cannot be had, however much memory there is.</summary>
    [Fact]
    public async Task A_payload_for_which_there_is_no_memory_is_refused_and_skipped_and_the_connection_goes_on()
    {
        var (_, b) = await StartPairAsync(OnDemand with { MaxMessageBytes = int.MaxValue });
        b.Subscribe(TestActor);
        var probe = CreateTestProbe(SystemB, "p");
        var target = b.Register(probe.Ref);
        using var client = await RawLane.ConnectAsync(EndpointOf(b));
        Assert.IsType<LaneProtocol.Welcome>(await client.HelloAsync(HelloFrom("c")));
        await ExpectMsgAsync<LanePeerUp>(Patience);
        await client.SendAsync(Message(new(7, target, LaneClass.Request, Run(1), new ClaimedPayload(int.MaxValue), null, false, ActorRefs.Nobody)));
        var (header, body) = (await client.NextAsync())!.Value;
        Assert.Equal((FrameKind.Undeliverable, 7L, LaneFailure.NoMemory), (header.Kind, BitConverter.ToInt64(body), (LaneFailure)body[8]));
        Assert.Contains($"no memory for {int.MaxValue} bytes", (await ExpectMsgAsync<LaneRanOut>(Patience)).Why, StringComparison.Ordinal);
        await client.SendAsync(Frame(FrameKind.Chunk, LaneClass.Request, new byte[1000]));
        await client.SendAsync(Message(new(8, target, LaneClass.Control, Run(2), null, null, false, ActorRefs.Nobody)));
        Assert.Equal(Run(2).Call, ((ExpertProtocol.Run)(await ReceiveAsync<LaneEnvelope>(probe)).Message).Call);
        Assert.Equal(0, b.Statistics.BrokenConnections);
        await UntilNoPayloadAsync(b);
    }

    [Fact]
    public async Task A_response_for_which_there_is_no_memory_fails_its_request()
    {
        var (a, address) = await StartAsync(Sys, "a", OnDemand with { MaxMessageBytes = int.MaxValue });
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        var c = NodeNamed("c");
        a.SetPeers(5, [address, new(c, "c", endpoint)]);
        var reply = a.Register(TestActor);
        a.Send(new(c, "/user/x", 1), LaneClass.Request, Run(1), null, reply, TestActor);
        using var server = await RawLane.AcceptAsync(listener);
        await server.WelcomeAsync(new(5, [new(1, 1), new(0, 0), new(1, 1), new(1, 1)], 1 << 20, 1 << 20));
        var request = BitConverter.ToInt64((await server.NextAsync())!.Value.Body);
        using var client = await RawLane.ConnectAsync(EndpointOf(a));
        Assert.IsType<LaneProtocol.Welcome>(await client.HelloAsync(new(c, NodeNamed("a"), 5, Model, LaneSocket.Main, 1)));
        await client.SendAsync(Message(new(1, reply with { Request = request }, LaneClass.Response, Ran(1), new ClaimedPayload(int.MaxValue), null, false, ActorRefs.Nobody)));
        var failed = await ExpectMsgAsync<LaneFailed>(Patience);
        Assert.Equal((Run(1).Call, LaneFailure.NoMemory), (((ExpertProtocol.Run)failed.Message).Call, failed.Reason));
        Assert.Equal(0, a.Statistics.BrokenConnections);
        await UntilNoPayloadAsync(a);
    }

    [Fact]
    public async Task Frames_that_come_again_take_their_credit_again_and_harm_nobody()
    {
        var (a, b) = await StartPairAsync(OnDemand with { RequestWindowMessages = 4 });
        var probe = CreateTestProbe(SystemB, "p");
        var target = b.Register(probe.Ref);
        byte[] once = [.. Message(new(1, target, LaneClass.Request, Run(1), new ClaimedPayload(1000), null, false, ActorRefs.Nobody)), .. Frame(FrameKind.Chunk, LaneClass.Request, new byte[1000])];
        for (var connection = 0; connection < 2; connection++)
        {
            using var client = await RawLane.ConnectAsync(EndpointOf(b));
            Assert.IsType<LaneProtocol.Welcome>(await client.HelloAsync(HelloFrom("c")));
            for (var i = 0; i < 5; i++) await client.SendAsync(once);
            await client.UntilClosedAsync();
            for (var i = 0; i < 4; i++) (await ReceiveAsync<LaneEnvelope>(probe)).Payload!.Dispose();
            Assert.Equal(connection + 1, b.Statistics.BrokenConnections);
        }
        a.Send(target, LaneClass.Request, Run(2), Bytes(100), null, TestActor);
        (await ReceiveAsync<LaneEnvelope>(probe)).Payload!.Dispose();
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task Garbage_from_the_receiver_ends_the_connection_and_fails_the_messages()
    {
        var (a, address) = await StartAsync(Sys, "a", OnDemand);
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        a.SetPeers(1, [address, new(NodeNamed("c"), "c", endpoint)]);
        byte[][] answers =
        [
            Frame(FrameKind.Credit, LaneClass.Control, new byte[8]), Frame(FrameKind.Credit, LaneClass.Control, new byte[7]),
            Frame(FrameKind.Undeliverable, LaneClass.Control, new byte[9]), Frame(FrameKind.Message, LaneClass.Control, new byte[9]),
            Frame(FrameKind.Pong, LaneClass.Control, length: 1 << 20), Frame(FrameKind.Goodbye, LaneClass.Control, new byte[1]),
        ];
        foreach (var answer in answers)
        {
            a.Send(new(NodeNamed("c"), "/user/x", 1), LaneClass.Request, Run(1), Bytes(10), null, TestActor);
            using var server = await RawLane.AcceptAsync(listener);
            await server.WelcomeAsync(new(1, [new(1, 1), new(0, 0), new(1, 1), new(1, 1)], 1 << 20, 1 << 20));
            await server.NextAsync();
            await server.SendAsync(answer);
            Assert.Equal(LaneFailure.ConnectionLost, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        }
        Assert.Equal(answers.Length, a.Statistics.BrokenConnections);
        await UntilNoPayloadAsync(a);
    }

    [Theory]
    [InlineData(false, LaneFailure.ConnectionLost)]
    [InlineData(true, LaneFailure.Closed)]
    public async Task A_peer_that_says_goodbye_has_not_died(bool saysGoodbye, object meaning)
    {
        var (a, address) = await StartAsync(Sys, "a", OnDemand);
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        a.SetPeers(1, [address, new(NodeNamed("c"), "c", endpoint)]);
        a.Send(new(NodeNamed("c"), "/user/x", 1), LaneClass.Request, Run(1), Bytes(10), null, TestActor);
        using (var server = await RawLane.AcceptAsync(listener))
        {
            await server.WelcomeAsync(new(1, [new(1, 1), new(0, 0), new(1, 1), new(1, 1)], 1 << 20, 1 << 20));
            await server.NextAsync();
            if (saysGoodbye) await server.SendAsync(Frame(FrameKind.Goodbye, LaneClass.Control));
        }

        Assert.Equal(meaning, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        Assert.Equal(0, a.Statistics.BrokenConnections);
        await UntilNoPayloadAsync(a);
    }

    [Fact]
    public async Task Mutated_streams_never_break_more_than_their_connection()
    {
        var node = new LaneNode(OnDemand.Validated(), new LaneIdentity(NodeNamed("b"), Model), TimeProvider.System, Logging.GetLogger(Sys, "fuzz"));
        var sink = Sys.ActorOf(Props.Create(() => new Sink()));
        var target = node.Targets.Add(sink);
        for (var seed = 0; seed < FuzzRounds.Of(600); seed++)
        {
            var random = new Random(seed);
            using var buffer = new FrameBuffer();
            buffer.Bytes(Handshake.Magic);
            buffer.Int32(ProtocolVersion.Current);
            buffer.Begin(FrameKind.Handshake, LaneClass.Control);
            buffer.Text(Manifests.Of(typeof(LaneProtocol.Hello)));
            MessageCodec.Serialize(buffer, HelloFrom("c") with { Association = seed });
            buffer.End();
            var handshake = buffer.Length;
            for (var i = 0; i < 6; i++)
            {
                using var payload = random.Next(2) == 0 ? null : Bytes(random.Next(3000));
                buffer.Begin(FrameKind.Message, LaneClass.Request);
                MessageHeader.Write(buffer, new Outgoing(i + 1, target, LaneClass.Request, Run(i), payload, target, true, ActorRefs.Nobody));
                buffer.End();
                if (payload is not { Bytes: > 0 }) continue;
                buffer.ChunkHeader(LaneClass.Request, payload.Bytes);
                buffer.Bytes(payload.Memory.Span);
            }
            var bytes = buffer.Written.ToArray();
            var from = seed % 4 == 0 ? 0 : handshake;
            for (var flips = random.Next(1, 6); flips > 0; flips--) bytes[random.Next(from, bytes.Length)] = (byte)random.Next(256);
            var connection = new InboundConnection(node, new OneWayStream(bytes[..random.Next(from, bytes.Length + 1)]), "fuzz");
            await connection.RunAsync(() => { }).WaitAsync(Patience);
        }
        await UntilNoPayloadAsync();
        await UntilAsync(() => node.Counters.Read(0, []).LiveBuffers == 0, "buffers are left");
        Assert.True(node.Counters.Read(0, []).BrokenConnections > 100);
    }

    private static LaneProtocol.Hello HelloFrom(string name) => new(NodeNamed(name), NodeNamed("b"), 5, Model, LaneSocket.Main, 1);

    private static Outgoing Large(long id) => new(id, Known, LaneClass.Request, Run(1), new ClaimedPayload(1000), null, false, ActorRefs.Nobody);

    private static byte[] Frame(FrameKind kind, LaneClass laneClass, params byte[] body)
    {
        using var buffer = new FrameBuffer();
        buffer.Begin(kind, laneClass);
        buffer.Bytes(body);
        buffer.End();
        return buffer.Written.ToArray();
    }

    private static byte[] Frame(FrameKind kind, LaneClass laneClass, int length)
    {
        var header = new byte[FrameHeader.Size];
        new FrameHeader(length, kind, laneClass).Write(header);
        return header;
    }

    private static byte[] Message(Outgoing item)
    {
        using var buffer = new FrameBuffer();
        buffer.Begin(FrameKind.Message, item.Class);
        MessageHeader.Write(buffer, item);
        buffer.End();
        item.Payload?.Dispose();
        return buffer.Written.ToArray();
    }

    /// <summary>The uid behind "/user/known", which exists only at run time.</summary>
    private static byte[] Retarget(byte[] bytes, long uid)
    {
        bytes = [.. bytes];
        var path = System.Text.Encoding.UTF8.GetBytes(Known.Path);
        for (var at = bytes.AsSpan().IndexOf(path); at >= 0;)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(at + path.Length), uid);
            var next = bytes.AsSpan(at + path.Length).IndexOf(path);
            at = next < 0 ? -1 : at + path.Length + next;
        }
        return bytes;
    }

    private sealed class ClaimedPayload(int bytes) : Payload
    {
        public override int Bytes { get; } = bytes;

        protected override void Release()
        {
        }
    }

    /// <summary>Keeps what it gets until it ends.</summary>
    private sealed class Keeper : UntypedActor
    {
        private readonly List<Payload> _kept = [];

        protected override void OnReceive(object message)
        {
            if (message is LaneEnvelope { Payload: { } payload }) _kept.Add(payload);
        }

        protected override void PostStop() => _kept.ForEach(p => p.Dispose());
    }

    private sealed class Sink : UntypedActor
    {
        protected override void OnReceive(object message) => (message as LaneEnvelope)?.Payload?.Dispose();
    }
}
