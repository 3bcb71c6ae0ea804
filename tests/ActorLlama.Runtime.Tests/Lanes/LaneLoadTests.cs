using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;

namespace ActorLlama.Runtime.Tests.Lanes;

public sealed class LaneLoadTests : LaneTestBase
{
    [Fact]
    public async Task Requests_and_responses_crossing_under_full_credit_neither_stall_nor_grow()
    {
        const int Count = 400;
        var (a, b) = await StartPairAsync(OnDemand with
        {
            RequestWindowMessages = 4,
            RequestWindowBytes = 300_000,
            MaxUnansweredRequests = 8,
            ChunkBytes = 16 << 10,
        });
        var (workA, workB) = (Sys.ActorOf(EchoActor.Props(a)), SystemB.ActorOf(EchoActor.Props(b)));
        var (toA, toB) = (a.Register(workA), b.Register(workB));
        var (clientA, clientB) = (CreateTestProbe(), ProbeB());
        var (replyA, replyB) = (a.Register(clientA.Ref), b.Register(clientB.Ref));
        for (var i = 0; i < Count; i++)
        {
            a.Send(toB, LaneClass.Request, Run(i), Bytes(90_000, i), replyA, clientA.Ref);
            b.Send(toA, LaneClass.Request, Run(i), Bytes(90_000, i), replyB, clientB.Ref);
        }
        for (var i = 0; i < Count; i++)
        {
            foreach (var client in new[] { clientA, clientB })
            {
                var response = await ReceiveAsync<LaneEnvelope>(client);
                Assert.Equal(Ran(i), response.Message);
                Assert.True(Holds(response.Payload, 90_000, i));
                response.Payload!.Dispose();
            }
            // Responses that wait in the clients' mailboxes are bounded by what could be unanswered then; each was reserved.
            Assert.All(new[] { a, b }, lane => Assert.InRange(lane.Statistics.CreditsOutstanding, 0, 4));
            Assert.All(new[] { a, b }, lane => Assert.InRange(lane.Statistics.UnansweredRequests, 0, 8));
        }
        await UntilAsync(
            () => new[] { a, b }.All(l => l.Statistics is { CreditsOutstanding: 0, UnansweredRequests: 0, QueuedMessages: 0, FailedMessages: 0 }),
            "something is left", a, b);
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task Large_messages_beyond_a_window_go_one_at_a_time_and_do_not_hold_back_control()
    {
        var (a, address) = await StartAsync(Sys, "a", OnDemand);
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        a.SetPeers(1, [address, new(NodeNamed("b"), "b", endpoint)]);
        var target = new LaneTarget(NodeNamed("b"), "/user/x", 1);
        // More than sockets buffer: whatever the machine does, it is still being sent when control joins.
        a.Send(target, LaneClass.Request, Run(1), BytesPayload.Rent(48 << 20), null, TestActor);
        a.Send(target, LaneClass.Request, Run(2), BytesPayload.Rent(1000), null, TestActor);
        using var peer = await RawLane.AcceptAsync(listener);
        await peer.WelcomeAsync(new(1, [new(10, 1000), new(0, 0), new(10, 1000), new(10, 1000)], 1 << 20, 64 << 20));
        var first = await peer.NextAsync();
        Assert.Equal((FrameKind.Message, LaneClass.Request), (first!.Value.Header.Kind, first.Value.Header.Class));
        a.Send(target, LaneClass.Control, Run(3), null, null, TestActor);

        var left = 48 << 20;
        var leftAtControl = 0;
        while (left > 0)
        {
            var (header, body) = (await peer.NextAsync())!.Value;
            if (header is { Kind: FrameKind.Message, Class: LaneClass.Control }) leftAtControl = left;
            if (header.Kind == FrameKind.Chunk) left -= body.Length;
            Assert.False(header is { Kind: FrameKind.Message, Class: LaneClass.Request }, "a second request went beyond the window");
        }
        Assert.True(leftAtControl > 0, "control came behind the whole payload");
        await UntilAsync(() => a.Statistics.QueuedMessages == 1, "the second request does not wait", a);
    }

    [Fact]
    public async Task A_peer_that_stops_reading_is_lost_and_harms_nobody_else()
    {
        var options = OnDemand with { MaxQueuedMessages = 20, HeartbeatInterval = TimeSpan.FromMilliseconds(100), HeartbeatDeadline = TimeSpan.FromSeconds(4) };
        var (a, addressA) = await StartAsync(Sys, "a", options);
        var (b, addressB) = await StartAsync(SystemB, "b", OnDemand);
        var (listener, endpoint) = RawLane.Listen();
        using var _ = listener;
        NodeProtocol.NodeAddress[] plan = [addressA, addressB, new(NodeNamed("c"), "c", endpoint)];
        a.SetPeers(1, plan);
        b.SetPeers(1, plan);
        a.Subscribe(TestActor);
        var sender = CreateTestProbe();
        var stalled = new LaneTarget(NodeNamed("c"), "/user/x", 1);
        a.Send(stalled, LaneClass.Request, Run(0), Bytes(10), null, sender.Ref);
        using var peer = await RawLane.AcceptAsync(listener);
        var window = new LaneProtocol.Window(100_000, long.MaxValue);
        await peer.WelcomeAsync(new(1, [window, window, window, window], 1 << 20, 64 << 20));
        for (var i = 0; i < 200; i++) a.Send(stalled, LaneClass.Request, Run(i), BytesPayload.Rent(1 << 20), null, sender.Ref);
        Assert.InRange(a.Statistics.QueuedMessages, 0, 20);
        Assert.Equal(LaneFailure.QueueFull, (await ReceiveAsync<LaneFailed>(sender)).Reason);

        var fine = ProbeB();
        var toFine = b.Register(fine.Ref);
        for (var i = 0; i < 20; i++)
        {
            a.Send(toFine, LaneClass.Request, Run(i), Bytes(10_000, i), null, TestActor);
            using var payload = (await ReceiveAsync<LaneEnvelope>(fine)).Payload;
            Assert.True(Holds(payload, 10_000, i));
        }
        var lost = (LanePeerLost)await FishForMessageAsync(m => m is LanePeerLost, Patience);
        Assert.Equal(stalled.Node, lost.Node);
        Assert.Contains("silent", lost.Reason, StringComparison.Ordinal);
        await UntilNoPayloadAsync(a, b);
    }

    private sealed class EchoActor(Lane lane) : UntypedActor
    {
        public static Props Props(Lane lane) => Akka.Actor.Props.Create(() => new EchoActor(lane));

        protected override void OnReceive(object message)
        {
            if (message is not LaneEnvelope { Message: ExpertProtocol.Run run, Payload: BytesPayload rows } envelope)
            {
                Unhandled(message);
                return;
            }
            var back = BytesPayload.Rent(rows.Bytes);
            rows.Memory.CopyTo(back.Memory);
            rows.Dispose();
            lane.Send(envelope.ReplyTo!.Value, LaneClass.Response, new ExpertProtocol.Ran(run.Call), back, null, Self);
        }
    }
}
