using Akka.Actor;
using Akka.Cluster.Tools.Client;
using Akka.TestKit;
using ActorLlama.Protocol;

namespace ActorLlama.Client.Tests;

/// <summary>The session's actor against a probe in the cluster's place, with time of our own.</summary>
public sealed class SessionClientActorTests : Akka.TestKit.Xunit2.TestKit
{
    private static readonly SessionId s_session = new("s");
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private readonly ManualTime _time = new();
    private readonly SessionOutput _output = new();
    private IActorRef _actor = ActorRefs.Nobody;

    public SessionClientActorTests()
        : base("akka { loglevel = OFF, stdout-loglevel = OFF, scheduler.implementation = \"Akka.TestKit.TestScheduler, Akka.TestKit\" }")
    {
    }

    [Fact]
    public void Tokens_are_acknowledged_sixteen_at_a_time_or_on_the_next_tick_and_at_once_when_they_come_again()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Tokens(1, 0, [.. Enumerable.Range(10, 15)]), TestActor);
        actor.Tell(Tokens(1, 15, 25), TestActor);
        Assert.Equal(16, Sent<SessionProtocol.Acknowledge>().NextIndex);
        actor.Tell(Tokens(1, 16, 26), TestActor);
        Pass(s_second / 4);
        Assert.Equal(17, Sent<SessionProtocol.Acknowledge>().NextIndex);
        actor.Tell(Tokens(1, 16, 26), TestActor);
        Assert.Equal(17, Sent<SessionProtocol.Acknowledge>().NextIndex);
    }

    [Fact]
    public async Task Tokens_are_streamed_and_the_end_is_acknowledged()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        actor.Tell(Finished(1, 2), TestActor);
        Assert.Equal(3, Sent<SessionProtocol.Acknowledge>().NextIndex);
        var result = await _output.Completed.Task.WaitAsync(s_second * 5);
        Assert.Equal([10, 11], result.Tokens.ToArray());
        Assert.Equal([1, 2, 3], result.PromptTokens.ToArray());
        Assert.Equal("<10><11>!", result.Text);
        Assert.Equal(FinishReason.Length, result.Reason);
        var ids = await IdsAsync();
        Assert.Equal([10, 11], ids);
    }

    [Fact]
    public void When_the_way_into_the_cluster_changes_a_session_says_where_it_is_at_once()
    {
        var actor = Start(Request());
        Sent<SessionProtocol.Open>();
        Sys.EventStream.Publish(ClusterEntrance.Changed.Instance);
        Opened(actor);
        actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        Sys.EventStream.Publish(ClusterEntrance.Changed.Instance);
        Assert.Equal(2, Sent<SessionProtocol.Resume>().NextIndex);
    }

    [Fact]
    public void An_open_that_is_not_answered_is_said_again()
    {
        Start(Request());
        var first = Sent<SessionProtocol.Open>();
        Pass(s_second);
        Assert.Equal(first.Epoch, Sent<SessionProtocol.Open>().Epoch);
    }

    [Fact]
    public void A_gap_asks_for_what_is_missing()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Tokens(1, 3, 13), TestActor);
        Assert.Equal(0, Sent<SessionProtocol.Resume>().NextIndex);
    }

    [Fact]
    public void Silence_asks_to_be_sent_to_from_the_next_index()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Tokens(1, 0, 10), TestActor);
        Pass(s_second / 4);
        Sent<SessionProtocol.Acknowledge>();
        Pass(s_second);
        Assert.Equal(1, Sent<SessionProtocol.Resume>().NextIndex);
    }

    [Fact]
    public async Task An_end_that_overtakes_tokens_waits_for_them()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Finished(1, 2), TestActor);
        Assert.Equal(0, Sent<SessionProtocol.Resume>().NextIndex);
        Assert.False(_output.Completed.Task.IsCompleted);
        actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        var result = await _output.Completed.Task.WaitAsync(s_second * 5);
        Assert.Equal([10, 11], result.Tokens.ToArray());
    }

    [Fact]
    public async Task An_unknown_session_is_opened_again_with_a_higher_epoch_and_all_tokens()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        actor.Tell(Refused(1, RefusalReason.Unknown), TestActor);
        var open = Sent<SessionProtocol.Open>();
        Assert.Equal(2, open.Epoch);
        Assert.Equal([10, 11], open.GeneratedSoFar.ToArray());
        actor.Tell(Tokens(1, 2, 99), TestActor);
        actor.Tell(new SessionProtocol.Opened(s_session, 2, [1, 2, 3]), TestActor);
        actor.Tell(Tokens(2, 2, 12), TestActor);
        Pass(s_second / 4);
        Assert.Equal(3, Sent<SessionProtocol.Acknowledge>().NextIndex);
        actor.Tell(Finished(2, 3), TestActor);
        var result = await _output.Completed.Task.WaitAsync(s_second * 5);
        Assert.Equal([10, 11, 12], result.Tokens.ToArray());
    }

    [Fact]
    public async Task Silence_beyond_the_bound_ends_with_a_typed_error_and_a_cancel()
    {
        var actor = Start(Request() with { SilenceTimeout = 3 * s_second });
        Opened(actor);
        for (var i = 0; i < 12; i++) Pass(s_second / 4);
        await AwaitAssertAsync(() => Assert.True(_output.Completed.Task.IsFaulted));
        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => _output.Completed.Task);
        Assert.Equal(RefusalReason.Failed, failure.Reason);
        Assert.Contains("3 s", failure.Message, StringComparison.Ordinal);
        FishForMessage(m => m is ClusterClient.Send { Message: SessionProtocol.Cancel });
    }

    [Fact]
    public async Task A_session_that_takes_longer_than_its_total_time_ends_with_a_typed_error()
    {
        var actor = Start(Request() with { TotalTimeout = 2 * s_second });
        Opened(actor);
        for (var i = 0; i < 8; i++)
        {
            actor.Tell(Tokens(1, 0), TestActor);
            Pass(s_second / 4);
        }

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => _output.Completed.Task.WaitAsync(s_second * 5));
        Assert.Contains("2 s", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_busy_cluster_is_asked_again_after_its_hint_and_not_before()
    {
        var actor = Start(Request());
        Sent<SessionProtocol.Open>();
        actor.Tell(new SessionProtocol.Refused(s_session, 1, RefusalReason.Busy, "full", 3000), TestActor);
        Pass(2 * s_second);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(50));
        Pass(2 * s_second);
        Sent<SessionProtocol.Open>();
        Pass(Request().SilenceTimeout);
        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => _output.Completed.Task.WaitAsync(s_second * 5));
        Assert.Equal((RefusalReason.Busy, 3 * s_second, "full"), (failure.Reason, failure.RetryAfter, failure.Message));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cluster_that_stays_busy_is_told_by_the_stream_with_its_advice(bool isOpened)
    {
        var actor = Start(Request() with { BusyTimeout = 3 * s_second });
        Sent<SessionProtocol.Open>();
        for (var round = 0; round < 2; round++)
        {
            if (isOpened) actor.Tell(new SessionProtocol.Opened(s_session, 1, [1, 2, 3]), TestActor);
            actor.Tell(new SessionProtocol.Refused(s_session, 1, RefusalReason.Busy, "full", 1500), TestActor);
            if (round > 0) break;
            Pass(2 * s_second);
            Sent<SessionProtocol.Open>();
        }

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(IdsAsync);
        Assert.Equal((RefusalReason.Busy, "full", 1.5 * s_second), (failure.Reason, failure.Message, failure.RetryAfter));
    }

    [Fact]
    public void A_session_that_is_opened_again_is_given_what_is_left_of_its_time()
    {
        var actor = Start(Request() with { Deadline = 10 * s_second, Priority = SessionPriority.High });
        var limits = Sent<SessionProtocol.Open>().Limits;
        Assert.Equal((10_000, SessionPriority.High), (limits.DeadlineMs, limits.Priority));
        actor.Tell(new SessionProtocol.Opened(s_session, 1, [1, 2, 3]), TestActor);
        Pass(s_second / 2);
        actor.Tell(Refused(1, RefusalReason.Unknown), TestActor);
        Assert.Equal(9_500, Sent<SessionProtocol.Open>().Limits.DeadlineMs);
    }

    [Theory]
    [InlineData(RefusalReason.Invalid)]
    [InlineData(RefusalReason.NotReady)]
    public async Task A_refusal_that_time_does_not_mend_is_thrown_by_the_stream(RefusalReason reason)
    {
        var actor = Start(Request());
        Sent<SessionProtocol.Open>();
        actor.Tell(Refused(1, reason), TestActor);
        var failure = await Assert.ThrowsAsync<GenerationFailedException>(IdsAsync);
        Assert.Equal(reason, failure.Reason);
        Assert.Equal("no", failure.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_session_whose_twin_has_the_place_is_opened_again_with_a_higher_epoch(bool isOpened)
    {
        var actor = Start(Request());
        if (isOpened)
        {
            Opened(actor);
            actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        }
        else
        {
            Sent<SessionProtocol.Open>();
        }

        actor.Tell(Refused(1, RefusalReason.Stale), TestActor);
        var again = Sent<SessionProtocol.Open>();
        Assert.Equal(2, again.Epoch);
        int[] held = isOpened ? [10, 11] : [];
        Assert.Equal(held, again.GeneratedSoFar.AsEnumerable());
        // What the twins still say is of another epoch.
        actor.Tell(Refused(1, RefusalReason.Stale), TestActor);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(50));
        Assert.False(_output.Completed.Task.IsCompleted);
    }

    [Fact]
    public async Task Stopping_cancels_until_the_end_is_heard()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(SessionClientActor.Stop.Instance);
        Sent<SessionProtocol.Cancel>();
        Pass(s_second / 4);
        Sent<SessionProtocol.Cancel>();
        actor.Tell(Finished(1, 0) with { Reason = FinishReason.Cancelled }, TestActor);
        Assert.Equal(FinishReason.Cancelled, (await _output.Completed.Task.WaitAsync(s_second * 5)).Reason);
    }

    [Fact]
    public async Task Stopping_does_not_wait_longer_than_a_second_for_an_answer()
    {
        var actor = Start(Request());
        Opened(actor);
        actor.Tell(SessionClientActor.Stop.Instance);
        Sent<SessionProtocol.Cancel>();
        Pass(s_second);
        Assert.Equal(FinishReason.Cancelled, (await _output.Completed.Task.WaitAsync(s_second * 5)).Reason);
    }

    [Fact]
    public async Task Logits_that_were_lost_are_computed_again_from_all_tokens_but_the_last()
    {
        var actor = Start(Request() with { Logits = LogitsWanted.Generated });
        Opened(actor);
        actor.Tell(Logits(1, 2), TestActor);
        actor.Tell(Tokens(1, 0, 10, 11), TestActor);
        actor.Tell(Finished(1, 2), TestActor);
        Sent<SessionProtocol.Acknowledge>();
        var again = Sent<SessionProtocol.Open>();
        Assert.Equal(2, again.Epoch);
        Assert.Equal([10], again.GeneratedSoFar.AsEnumerable());
        Assert.False(_output.Completed.Task.IsCompleted);

        actor.Tell(new SessionProtocol.Opened(s_session, 2, [1, 2, 3]), TestActor);
        Pass(s_second);
        Assert.Equal(1, Sent<SessionProtocol.Resume>().NextIndex);
        actor.Tell(Logits(2, 2), TestActor);
        actor.Tell(Logits(2, 3), TestActor);
        actor.Tell(Tokens(2, 1, 11), TestActor);
        Sent<SessionProtocol.Acknowledge>();
        actor.Tell(Finished(2, 2), TestActor);
        var result = await _output.Completed.Task.WaitAsync(s_second * 5);
        Assert.Equal([2, 3], result.Logits.Keys);
        var ids = await IdsAsync();
        Assert.Equal([10, 11], ids);
    }

    [Fact]
    public async Task Logits_that_never_arrive_fail_the_session_after_a_few_computations()
    {
        var actor = Start(Request() with { Logits = LogitsWanted.All });
        Opened(actor);
        for (var epoch = 1; epoch <= 4; epoch++)
        {
            actor.Tell(new SessionProtocol.Opened(s_session, epoch, [1, 2, 3]), TestActor);
            actor.Tell(Logits(epoch, 0), TestActor);
            actor.Tell(Finished(epoch, 0), TestActor);
            Sent<SessionProtocol.Acknowledge>();
            if (epoch < 4) Assert.Equal(epoch + 1, Sent<SessionProtocol.Open>().Epoch);
        }

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => _output.Completed.Task.WaitAsync(s_second * 5));
        Assert.Contains("position 1", failure.Message, StringComparison.Ordinal);
        Assert.Contains("4 times", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_probabilities_come_with_their_tokens_each_once()
    {
        var actor = Start(Request() with { LogProbs = 0 });
        Opened(actor);
        TokenLogProbs First = new(-0.5f, [], []), Second = new(-1, [], []);
        actor.Tell(Tokens(1, 0, 10) with { LogProbs = [First] }, TestActor);
        actor.Tell(Tokens(1, 0, 10, 11) with { LogProbs = [First, Second] }, TestActor);
        actor.Tell(Finished(1, 2), TestActor);
        Assert.Equal([First, Second], (await _output.Completed.Task.WaitAsync(s_second * 5)).LogProbs.AsEnumerable());
    }

    [Fact]
    public async Task A_token_without_the_log_probabilities_that_were_asked_for_fails_the_session()
    {
        var actor = Start(Request() with { LogProbs = 2 });
        Opened(actor);
        actor.Tell(Tokens(1, 0, 10), TestActor);
        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => _output.Completed.Task.WaitAsync(s_second * 5));
        Assert.Contains("1 ids came with log-probabilities for 0", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_falls_behind_gets_every_token_in_the_end()
    {
        var actor = Start(Request());
        Opened(actor);
        var all = Enumerable.Range(0, SessionOutput.Capacity + 10).ToArray();
        actor.Tell(Tokens(1, 0, all), TestActor);
        Assert.Equal(SessionOutput.Capacity, Sent<SessionProtocol.Acknowledge>().NextIndex);
        actor.Tell(Finished(1, all.Length), TestActor);
        Sent<SessionProtocol.Resume>();
        var reading = IdsAsync();
        await AwaitConditionAsync(() => Task.FromResult(_output.Tokens.Reader.Count == 0));
        actor.Tell(Tokens(1, SessionOutput.Capacity, all[SessionOutput.Capacity..]), TestActor);
        Assert.Equal(all, await reading.WaitAsync(s_second * 5));
    }

    private static GenerationRequest Request() => new(GenerationRequest.Tokens([1, 2, 3]), 100);

    private static SessionProtocol.Tokens Tokens(long epoch, int first, params int[] ids) =>
        new(s_session, epoch, first, [.. ids], [.. ids.Select(i => $"<{i}>")]);

    private static SessionProtocol.LogitsPart Logits(long epoch, int position) => new(s_session, epoch, position, 0, 1, new byte[4]);

    private static SessionProtocol.Finished Finished(long epoch, int count) =>
        new(s_session, epoch, count, FinishReason.Length, "!", null, new SessionProtocol.Timings(1, 2));

    private static SessionProtocol.Refused Refused(long epoch, RefusalReason reason) => new(s_session, epoch, reason, "no", 0);

    private IActorRef Start(GenerationRequest request) =>
        _actor = Sys.ActorOf(SessionClientActor.Props(s_session, request, TestActor, _output, _time));

    private void Opened(IActorRef actor)
    {
        Sent<SessionProtocol.Open>();
        actor.Tell(new SessionProtocol.Opened(s_session, 1, [1, 2, 3]), TestActor);
    }

    private T Sent<T>() => Assert.IsType<T>(ExpectMsg<ClusterClient.Send>().Message);

    private void Pass(TimeSpan time)
    {
        Settle();
        _time.Advance(time);
        ((TestScheduler)Sys.Scheduler).Advance(time);
        Settle();
    }

    /// <summary>Everything sent to the actor so far has been handled.</summary>
    private void Settle()
    {
        var probe = CreateTestProbe();
        _actor.Tell(new Identify(null), probe);
        probe.ExpectMsg<ActorIdentity>();
    }

    private async Task<int[]> IdsAsync()
    {
        var ids = new List<int>();
        await foreach (var token in _output.Tokens.Reader.ReadAllAsync()) ids.Add(token.Id);
        return [.. ids];
    }
}
