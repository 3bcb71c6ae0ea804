using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;

namespace ActorLlama.Runtime.Tests.Lanes;

public sealed class LaneDeliveryTests : LaneTestBase
{
    [Fact]
    public async Task A_request_and_its_response_carry_their_payloads_between_nodes()
    {
        var (a, b) = await StartPairAsync();
        var expert = ProbeB();
        var router = CreateTestProbe();
        var toExpert = b.Register(expert.Ref);
        var toRouter = a.Register(router.Ref);

        a.Send(toExpert, LaneClass.Request, Run(7), Bytes(1_000_000), toRouter, router.Ref);
        var request = await ReceiveAsync<LaneEnvelope>(expert);
        Assert.Equal(CallOf(7), Assert.IsType<ExpertProtocol.Run>(request.Message).Call);
        Assert.True(Holds(request.Payload, 1_000_000));
        Assert.Equal(1, a.Statistics.CreditsOutstanding);
        request.Payload!.Dispose();
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "the credit does not come back", a, b);
        Assert.Equal(1, a.Statistics.UnansweredRequests);

        b.Send(request.ReplyTo!.Value, LaneClass.Response, Ran(7), Bytes(300_000, 5), null, expert.Ref);
        var response = await ReceiveAsync<LaneEnvelope>(router);
        Assert.Equal(Ran(7), response.Message);
        Assert.True(Holds(response.Payload, 300_000, 5));
        Assert.Equal(0, a.Statistics.UnansweredRequests);
        response.Payload!.Dispose();
        await UntilNoPayloadAsync(a, b);
        Assert.Equal(1, b.Statistics.Classes[(int)LaneClass.Response].MessagesSent);
        Assert.Equal(1, b.Statistics.Classes[(int)LaneClass.Request].MessagesReceived);
    }

    [Fact]
    public async Task In_one_node_the_payload_object_itself_travels()
    {
        var (a, _) = await StartPairAsync();
        var probe = CreateTestProbe();
        var target = a.Register(probe.Ref);
        using var payload = Bytes(10);

        Assert.True(a.IsLocal(target));
        a.Send(target, LaneClass.Request, Run(1), payload, target, TestActor);

        var envelope = await ReceiveAsync<LaneEnvelope>(probe);
        Assert.Same(payload, envelope.Payload);
        Assert.Equal(target, envelope.ReplyTo);
        Assert.Equal(0, a.Statistics.BytesSent);
    }

    [Fact]
    public async Task Messages_of_one_class_arrive_in_order_whatever_their_size()
    {
        var (a, b) = await StartPairAsync();
        var probe = ProbeB();
        var target = b.Register(probe.Ref);
        var random = new Random(11);
        for (var i = 0; i < 300; i++)
            a.Send(target, LaneClass.Request, Run(i), random.Next(3) switch { 0 => null, 1 => Bytes(0), _ => Bytes(random.Next(600_000)) }, null, TestActor);

        for (var i = 0; i < 300; i++)
        {
            var envelope = await ReceiveAsync<LaneEnvelope>(probe);
            Assert.Equal(CallOf(i), ((ExpertProtocol.Run)envelope.Message).Call);
            envelope.Payload?.Dispose();
        }
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);
        await UntilNoPayloadAsync(a, b);
    }

    [Fact]
    public async Task Credit_of_messages_without_payload_comes_back_by_itself()
    {
        var (a, b) = await StartPairAsync(OnDemand with { RequestWindowMessages = 4 });
        var probe = ProbeB();
        var target = b.Register(probe.Ref);
        for (var i = 0; i < 500; i++) a.Send(target, LaneClass.Request, Run(i), null, null, TestActor);
        for (var i = 0; i < 500; i++) Assert.Equal(CallOf(i), ((ExpertProtocol.Run)(await ReceiveAsync<LaneEnvelope>(probe)).Message).Call);
        await UntilAsync(() => a.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);
    }

    [Fact]
    public async Task A_response_that_answers_no_request_is_delivered_within_credit()
    {
        var (a, b) = await StartPairAsync();
        var scheduler = CreateTestProbe();
        var target = a.Register(scheduler.Ref);
        b.Send(target, LaneClass.Response, Ran(3), Bytes(100), null, TestActor);
        var envelope = await ReceiveAsync<LaneEnvelope>(scheduler);
        Assert.True(Holds(envelope.Payload, 100));
        envelope.Payload!.Dispose();
        await UntilAsync(() => b.Statistics.CreditsOutstanding == 0, "credit does not come back", a, b);
        Assert.Equal(1, a.Statistics.Classes[(int)LaneClass.Control].MessagesReceived);
    }

    [Fact]
    public async Task A_reply_address_on_a_third_node_arrives_as_it_is()
    {
        var (a, b) = await StartPairAsync();
        var probe = ProbeB();
        var third = new LaneTarget(NodeNamed("c", 9), "/user/scheduler", 5);
        a.Send(b.Register(probe.Ref), LaneClass.Request, Run(1), null, third, TestActor);
        Assert.Equal(third, (await ReceiveAsync<LaneEnvelope>(probe)).ReplyTo);
    }
}
