using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;

namespace ActorLlama.Runtime.Tests.Lanes;

public sealed class LaneFailureTests : LaneTestBase
{
    [Fact]
    public async Task An_absent_target_is_answered_with_Gone()
    {
        var (a, b) = await StartPairAsync();
        var known = b.Register(ProbeB().Ref);
        b.Unregister(known);
        a.Send(known, LaneClass.Request, Run(1), Bytes(700_000), null, TestActor);
        a.Send(known with { Uid = known.Uid + 1 }, LaneClass.Bulk, Run(2), Bytes(10), null, TestActor);
        var failed = new[] { await ExpectMsgAsync<LaneFailed>(Patience), await ExpectMsgAsync<LaneFailed>(Patience) };
        Assert.All(failed, f => Assert.Equal(LaneFailure.Gone, f.Reason));
        Assert.Equal([Run(1).Call, Run(2).Call], failed.Select(f => ((ExpertProtocol.Run)f.Message).Call).Order(Comparer<CallId>.Create((x, y) => x.Batch.Number.CompareTo(y.Batch.Number))));

        a.Send(a.Register(TestActor) with { Uid = -5 }, LaneClass.Request, Run(3), Bytes(10), null, TestActor);
        Assert.Equal(LaneFailure.Gone, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task A_node_that_cannot_be_reached_or_is_unknown_fails_the_message()
    {
        var (a, address) = await StartAsync(Sys, "a", OnDemand);
        var (listener, nobody) = RawLane.Listen();
        listener.Dispose();
        a.SetPeers(1, [address, new(NodeNamed("b"), "b", nobody)]);
        a.Send(new(NodeNamed("b"), "/user/x", 1), LaneClass.Request, Run(1), Bytes(10), null, TestActor);
        Assert.Equal(LaneFailure.NoConnection, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        a.Send(new(NodeNamed("c"), "/user/x", 1), LaneClass.Request, Run(1), Bytes(10), null, TestActor);
        Assert.Equal(LaneFailure.UnknownPeer, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        await UntilNoPayloadAsync(a);
    }

    [Fact]
    public async Task The_end_of_a_peer_is_news_and_fails_what_it_had_not_answered()
    {
        var (a, b, router, target) = await RequestUnderWayAsync();
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);

        await b.DisposeAsync();

        Assert.Equal(b.Self, (await ExpectMsgAsync<LanePeerLost>(Patience)).Node);
        var failed = await ReceiveAsync<LaneFailed>(router);
        Assert.Equal((target, LaneFailure.Closed), (failed.To, failed.Reason));
        a.Send(target, LaneClass.Request, Run(2), Bytes(5), null, router.Ref);
        Assert.Equal(LaneFailure.NoConnection, (await ReceiveAsync<LaneFailed>(router)).Reason);
        await UntilNoPayloadAsync(a);
        await a.DisposeAsync();
        a.Send(target, LaneClass.Request, Run(3), Bytes(5), null, router.Ref);
        Assert.Equal(LaneFailure.Stopped, (await ReceiveAsync<LaneFailed>(router)).Reason);
        await UntilNoPayloadAsync(a);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_a_process_ends_says_nothing_of_what_was_under_way(bool byPeer)
    {
        var (a, b, router, _) = await RequestUnderWayAsync();

        // The plan has no such peer any more.
        if (byPeer) b.SetPeers(2, []);
        else a.SetPeers(2, []);

        Assert.Equal(b.Self, (await ExpectMsgAsync<LanePeerLost>(Patience)).Node);
        Assert.Equal(LaneFailure.Closed, (await ReceiveAsync<LaneFailed>(router)).Reason);
        await UntilNoPayloadAsync(a);
    }

    [Fact]
    public async Task A_response_that_comes_after_the_connection_was_lost_is_dropped()
    {
        var (a, b) = await StartPairAsync();
        var (expert, router) = (ProbeB(), CreateTestProbe());
        a.Send(b.Register(expert.Ref), LaneClass.Request, Run(1), null, a.Register(router.Ref), router.Ref);
        var request = await ReceiveAsync<LaneEnvelope>(expert);
        var answerTo = request.ReplyTo!.Value;
        b.Send(answerTo, LaneClass.Response, Ran(1), Bytes(20), null, expert.Ref);
        (await ReceiveAsync<LaneEnvelope>(router)).Payload!.Dispose();

        b.Send(answerTo, LaneClass.Response, Ran(1), Bytes(700_000), null, expert.Ref);
        await UntilAsync(() => a.Statistics.LateResponses == 1, "the second response is not dropped", a, b);
        await UntilNoPayloadAsync(a, b);
        await router.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task A_target_that_takes_nothing_fills_only_its_own_bounded_queue()
    {
        var (a, b) = await StartPairAsync(OnDemand with { RequestWindowMessages = 4, MaxQueuedMessages = 10 });
        var (stuck, fine) = (ProbeB(), ProbeB());
        var (toStuck, toFine) = (b.Register(stuck.Ref), b.Register(fine.Ref));
        a.Send(toFine, LaneClass.Request, Run(-1), null, null, TestActor);
        await ReceiveAsync<LaneEnvelope>(fine);
        var sender = CreateTestProbe();
        for (var i = 0; i < 4; i++) a.Send(toStuck, LaneClass.Request, Run(i), Bytes(1000, i), null, sender.Ref);
        await UntilAsync(() => a.Statistics is { CreditsOutstanding: 4, QueuedMessages: 0 }, "four are not on their way", a, b);
        for (var i = 4; i < 20; i++) a.Send(toStuck, LaneClass.Request, Run(i), Bytes(1000, i), null, sender.Ref);

        for (var i = 14; i < 20; i++)
        {
            var failed = await ReceiveAsync<LaneFailed>(sender);
            Assert.Equal((LaneFailure.QueueFull, CallOf(i)), (failed.Reason, ((ExpertProtocol.Run)failed.Message).Call));
        }
        Assert.Equal(10, a.Statistics.QueuedMessages);
        for (var i = 0; i < 50; i++)
        {
            a.Send(toFine, LaneClass.Request, Run(i), Bytes(2000, i), null, TestActor);
            using var payload = (await ReceiveAsync<LaneEnvelope>(fine)).Payload;
            Assert.True(Holds(payload, 2000, i));
        }
        Assert.Equal(4, b.Statistics.LiveBuffers);
        for (var i = 0; i < 14; i++)
        {
            using var payload = (await ReceiveAsync<LaneEnvelope>(stuck)).Payload;
            Assert.True(Holds(payload, 1000, i));
        }
        await UntilAsync(() => a.Statistics is { CreditsOutstanding: 0, QueuedMessages: 0 }, "messages are left", a, b);
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task Unanswered_requests_are_bounded()
    {
        var (a, b) = await StartPairAsync(OnDemand with { MaxUnansweredRequests = 3 });
        var (expert, router) = (ProbeB(), CreateTestProbe());
        var (toExpert, toRouter) = (b.Register(expert.Ref), a.Register(router.Ref));
        for (var i = 0; i < 9; i++) a.Send(toExpert, LaneClass.Request, Run(i), null, toRouter, router.Ref);
        for (var i = 0; i < 9; i++)
        {
            var request = await ReceiveAsync<LaneEnvelope>(expert);
            Assert.InRange(a.Statistics.UnansweredRequests, 1, 3);
            b.Send(request.ReplyTo!.Value, LaneClass.Response, Ran(i), null, null, expert.Ref);
            Assert.Equal(Ran(i), (await ReceiveAsync<LaneEnvelope>(router)).Message);
        }
        await UntilAsync(() => a.Statistics is { UnansweredRequests: 0, CreditsOutstanding: 0, QueuedMessages: 0 }, "requests are left", a, b);
    }

    [Fact]
    public async Task The_end_of_an_actor_fails_the_requests_it_had_taken()
    {
        var (a, b) = await StartPairAsync();
        var (expert, router) = (ProbeB(), CreateTestProbe());
        var target = b.Register(expert.Ref);
        a.Send(target, LaneClass.Request, Run(1), Bytes(10), a.Register(router.Ref), router.Ref);
        (await ReceiveAsync<LaneEnvelope>(expert)).Payload!.Dispose();
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);
        SystemB.Stop(expert.Ref);
        var failed = await ReceiveAsync<LaneFailed>(router);
        Assert.Equal((target, LaneFailure.Gone), (failed.To, failed.Reason));
        Assert.Equal(0, a.Statistics.UnansweredRequests);
    }

    [Fact]
    public async Task A_request_that_is_never_answered_fails_in_the_end()
    {
        var (a, b) = await StartPairAsync(OnDemand with { ResponseDeadline = TimeSpan.FromMilliseconds(200) });
        var (expert, router) = (ProbeB(), CreateTestProbe());
        a.Send(b.Register(expert.Ref), LaneClass.Request, Run(1), null, a.Register(router.Ref), router.Ref);
        Assert.Equal(LaneFailure.Unanswered, (await ReceiveAsync<LaneFailed>(router)).Reason);
        Assert.Equal(0, a.Statistics.UnansweredRequests);
    }

    [Fact]
    public async Task A_message_above_the_peers_limits_comes_back()
    {
        var (a, b) = await StartPairAsync(OnDemand, OnDemand with { MaxMessageBytes = 2000, MaxFrameBytes = 16 << 10, ChunkBytes = 16 << 10 });
        var probe = ProbeB();
        var target = b.Register(probe.Ref);
        a.Send(target, LaneClass.Request, Run(1), Bytes(2001), null, TestActor);
        Assert.Equal(LaneFailure.TooLarge, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        a.Send(target, LaneClass.Request, new ExpertProtocol.Refused(CallOf(2), RefusalReason.Failed, new string('x', 20_000)), null, null, TestActor);
        Assert.Equal(LaneFailure.TooLarge, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        a.Send(target, LaneClass.Request, Run(3), Bytes(2000), null, TestActor);
        using var payload = (await ReceiveAsync<LaneEnvelope>(probe)).Payload;
        Assert.True(Holds(payload, 2000));
    }

    [Fact]
    public async Task Receivers_killed_with_full_mailboxes_leave_no_payload()
    {
        var (a, b) = await StartPairAsync();
        var sender = CreateTestProbe();
        for (var round = 0; round < 3; round++)
        {
            using var gate = new ManualResetEventSlim();
            using var taken = new CountdownEvent(2);
            var victim = SystemB.ActorOf(Props.Create(() => new BlockedActor(gate, taken)));
            var local = Sys.ActorOf(Props.Create(() => new BlockedActor(gate, taken)));
            var (target, localTarget) = (b.Register(victim), a.Register(local));
            for (var i = 0; i < 100; i++)
            {
                a.Send(target, LaneClass.Request, Run(i), i % 4 == 3 ? null : Bytes(5000), null, sender.Ref);
                a.Send(localTarget, LaneClass.Request, Run(1000 + i), Bytes(50), null, sender.Ref);
            }
            await UntilAsync(() => taken.IsSet && a.Statistics.CreditsOutstanding == 64, "the mailbox is not full", a, b);
            // Not ActorSystem.Stop, which only asks the guardian to do so soon.
            ((IInternalActorRef)victim).Stop();
            ((IInternalActorRef)local).Stop();
            gate.Set();
            var failed = new HashSet<long>();
            // The first of each had been taken.
            while (failed.Count < 198)
            {
                var failure = await ReceiveAsync<LaneFailed>(sender);
                Assert.Equal(LaneFailure.Gone, failure.Reason);
                Assert.True(failed.Add(((ExpertProtocol.Run)failure.Message).Call.Batch.Number));
            }
            await UntilAsync(() => a.Statistics is { CreditsOutstanding: 0, QueuedMessages: 0 }, "messages are left", a, b);
            await UntilNoPayloadAsync(a, b);
        }
        Assert.True(b.Statistics.ReapedPayloads > 0);
    }

    [Fact]
    public async Task A_message_that_its_receiver_does_not_handle_comes_back()
    {
        var (a, b) = await StartPairAsync();
        var deaf = SystemB.ActorOf(Props.Create(() => new DeafActor()));
        a.Send(b.Register(deaf), LaneClass.Request, Run(1), Bytes(100), null, TestActor);
        Assert.Equal(LaneFailure.Unhandled, (await ExpectMsgAsync<LaneFailed>(Patience)).Reason);
        await UntilNoPayloadAsync(a, b);
    }

    private sealed class BlockedActor(ManualResetEventSlim gate, CountdownEvent taken) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (!taken.IsSet) taken.Signal();
            gate.Wait();
            (message as LaneEnvelope)?.Payload?.Dispose();
        }
    }

    private sealed class DeafActor : UntypedActor
    {
        protected override void OnReceive(object message) => Unhandled(message);
    }

    /// <summary>Of a to an expert of b, which has it and does not answer.</summary>
    private async Task<(Lane A, Lane B, Akka.TestKit.TestProbe Router, LaneTarget Target)> RequestUnderWayAsync()
    {
        var (a, b) = await StartPairAsync();
        var expert = ProbeB();
        a.Subscribe(TestActor);
        var router = CreateTestProbe();
        var target = b.Register(expert.Ref);
        a.Send(target, LaneClass.Request, Run(1), null, a.Register(router.Ref), router.Ref);
        await ReceiveAsync<LaneEnvelope>(expert);
        Assert.Equal(b.Self, (await ExpectMsgAsync<LanePeerUp>(Patience)).Node);
        return (a, b, router, target);
    }
}
