using System.Collections.Immutable;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;

namespace ActorLlama.Runtime.Tests.Lanes;

[Collection(LaneCollection.Name)]
public sealed class SendQueueTests
{
    private static readonly ImmutableArray<LaneProtocol.Window> s_windows = [new(100, 1000), new(0, 0), new(2, 1000), new(2, 1000)];
    private static readonly LaneTarget s_one = new(new NodeId("b", 1), "/user/one", 1);
    private static readonly LaneTarget s_two = new(new NodeId("b", 1), "/user/two", 2);
    private readonly SendQueue _queue = new(new LaneOptions { MaxQueuedMessages = 5, MaxQueuedBytes = 4000, MaxUnansweredRequests = 3 }, LaneSocket.Main, TimeProvider.System);
    private long _ids;

    [Fact]
    public void Nothing_is_taken_before_the_peer_has_said_its_windows()
    {
        Put(s_one, LaneClass.Request, 10);
        Assert.Empty(TakeAll());
        _queue.Open(s_windows);
        Assert.Equal([(1L, true, 0), (1, false, 10)], TakeAll());
    }

    [Fact]
    public void Credit_of_one_target_does_not_hold_back_another()
    {
        _queue.Open(s_windows);
        for (var i = 0; i < 3; i++) Put(s_one, LaneClass.Request);
        Put(s_two, LaneClass.Request);
        Assert.Equal([1, 4, 2], Ids(TakeAll()));
        Assert.True(Credit(2));
        Assert.False(Credit(2));
        Assert.False(Credit(3));
        Assert.Equal([3], Ids(TakeAll()));
    }

    [Fact]
    public void Byte_credit_bounds_what_is_on_its_way_and_lets_one_larger_message_go_alone()
    {
        _queue.Open(s_windows);
        Put(s_one, LaneClass.Request, 3000);
        Put(s_one, LaneClass.Request, 1);
        Assert.Equal([1], Ids(TakeAll()).Distinct());
        Credit(1);
        Assert.Equal([2], Ids(TakeAll()).Distinct());
    }

    [Fact]
    public void Classes_take_turns_chunk_by_chunk()
    {
        _queue.Open(s_windows);
        Put(s_one, LaneClass.Request, 900);
        Put(s_one with { Request = 9 }, LaneClass.Response, 900);
        Put(s_one, LaneClass.Control, 900);
        var classes = new List<LaneClass>();
        while (_queue.TryTake(300, out var piece)) classes.Add(piece.Item.Class);
        Assert.Equal(12, classes.Count);
        for (var i = 0; i < 12; i += 3) Assert.Equal(3, classes.Skip(i).Take(3).Distinct().Count());
    }

    [Fact]
    public void Queues_are_bounded_in_messages_and_bytes_per_target()
    {
        for (var i = 0; i < 5; i++) Assert.Null(Put(s_one, LaneClass.Request));
        Assert.Equal(LaneFailure.QueueFull, Put(s_one, LaneClass.Request));
        Assert.Null(Put(s_one, LaneClass.Control));
        Assert.Null(Put(s_two, LaneClass.Request, 3999));
        Assert.Equal(LaneFailure.QueueFull, Put(s_two, LaneClass.Request, 2));
        Assert.Null(Put(s_two, LaneClass.Request, 1));
        Assert.Equal((8, 4000L), (_queue.Counts.Queued, _queue.Counts.QueuedBytes));
        DisposeAll();
    }

    [Fact]
    public void A_request_is_settled_by_its_credit_and_its_answer_in_either_order()
    {
        _queue.Open(s_windows);
        for (var i = 0; i < 4; i++) Put(s_one, LaneClass.Request, replyTo: s_two);
        Assert.Equal([1, 2], Ids(TakeAll()));
        Assert.NotNull(_queue.Answer(1));
        Assert.Null(_queue.Answer(1));
        Assert.True(Credit(1));
        Assert.True(Credit(2));
        Assert.Equal([3, 4], Ids(TakeAll()));
        Assert.True(_queue.TryReturn(3, out var item));
        Assert.Equal(3, item!.Id);
        Assert.NotNull(_queue.Answer(4));
        Assert.True(_queue.TryReturn(4, out item));
        Assert.Null(item);
        Assert.Equal([2], _queue.Drain().Select(i => i.Id));
        Assert.Equal(LaneFailure.ConnectionLost, Put(s_one, LaneClass.Request));
    }

    [Fact]
    public void The_end_of_an_actor_fails_what_it_took_at_once_and_the_rest_as_its_credit_comes_back()
    {
        _queue.Open(s_windows);
        Put(s_one, LaneClass.Request, replyTo: s_two);
        Put(s_one, LaneClass.Request, replyTo: s_two);
        Put(s_two, LaneClass.Request, replyTo: s_one);
        Assert.Equal(3, TakeAll().Count);
        Assert.True(Credit(1));
        Assert.True(Credit(3));
        Assert.Equal([1], _queue.EndTarget(s_one.Path, s_one.Uid).Select(i => i.Id));
        Assert.Null(_queue.Answer(1));
        Assert.True(_queue.TryReturnCredit(2, out var failed));
        Assert.Equal(2, failed!.Id);
        Assert.Equal([3], _queue.Drain().Select(i => i.Id));
    }

    [Fact]
    public void Draining_returns_all_that_is_unsent_unconfirmed_or_unanswered()
    {
        _queue.Open(s_windows);
        Put(s_one, LaneClass.Request, 10, s_two);
        Put(s_two, LaneClass.Control);
        Put(s_one with { Request = 7 }, LaneClass.Response, 500);
        while (_queue.Counts.Queued > 0) Assert.True(_queue.TryTake(100, out _));
        Put(s_one with { Request = 8 }, LaneClass.Response, 500);
        Credit(1);
        var left = _queue.Drain();
        Assert.Equal([1, 2, 3, 4], left.Select(i => i.Id).Order());
        left.ForEach(i => i.Payload?.Dispose());
    }

    private LaneFailure? Put(LaneTarget to, LaneClass laneClass, int bytes = 0, LaneTarget? replyTo = null)
    {
        var payload = bytes > 0 ? BytesPayload.Rent(bytes) : null;
        var item = new Outgoing(++_ids, to, laneClass, new ExpertProtocol.Ran(default), payload, replyTo, replyTo is not null, ActorRefs.Nobody);
        var failure = _queue.Enqueue(item);
        if (failure is not null) payload?.Dispose();
        return failure;
    }

    private List<(long Id, bool IsHeader, int Count)> TakeAll()
    {
        var taken = new List<(long, bool, int)>();
        while (_queue.TryTake(1 << 20, out var piece))
        {
            taken.Add((piece.Item.Id, piece.IsHeader, piece.Count));
            if (piece.IsLast) piece.Item.Payload?.Dispose();
        }
        return taken;
    }

    private static IEnumerable<long> Ids(IEnumerable<(long Id, bool, int)> taken) => taken.Select(t => t.Id);

    private bool Credit(long id)
    {
        var isKnown = _queue.TryReturnCredit(id, out var failed);
        Assert.Null(failed);
        return isKnown;
    }

    private void DisposeAll() => _queue.Drain().ForEach(i => i.Payload?.Dispose());
}
