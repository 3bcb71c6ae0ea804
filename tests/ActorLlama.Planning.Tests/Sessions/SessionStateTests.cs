using System.Collections.Immutable;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Sessions;

public sealed class SessionStateTests
{
    private static readonly SessionId Id = new("s");
    private static readonly LaneTarget First = new(new("a:1", 1), "/user/scheduler-0", 1);
    private static readonly LaneTarget Second = new(new("b:1", 2), "/user/scheduler-0", 1);

    private readonly SessionOptions _options = new()
    {
        RenewMs = 100,
        StallMs = 350,
        FailAfterMs = 2000,
        MaxFailures = 2,
        BackOff = new(100, 400),
        ResendMs = 200,
        WindowTokens = 3,
        ClientTimeoutMs = 5000,
        LingerMs = 1000,
    };

    [Fact]
    public void A_session_submits_its_prompt_and_streams_what_is_sampled()
    {
        var session = Started();
        var submit = Submitted(session.SchedulerAt(First, "", 0));
        Assert.Equal((2L << 20) + 1, submit.Attempt);
        Sequences.Equal([5, 6, 7], submit.Tokens);
        Assert.Equal((3, 4), (submit.PromptLength, submit.MaxTokens));
        Assert.Empty(session.SchedulerAt(First, "", 1));

        var tokens = Assert.IsType<SessionProtocol.Tokens>(Told(Sample(session, 3, 50)).Single());
        Assert.Equal((2L, 0), (tokens.Epoch, tokens.FirstIndex));
        Sequences.Equal([50], tokens.Ids);
        Sequences.Equal(["<50>"], tokens.Texts);
    }

    [Fact]
    public void Duplicates_and_answers_of_old_attempts_are_dropped()
    {
        var session = Running();
        Assert.NotEmpty(Sample(session, 3, 50));
        Assert.Empty(Sample(session, 3, 51));
        Assert.Empty(session.Sampled(new(Id, session.Attempt - 1, 4, 51, false), Read, 0));
        Assert.Empty(session.Refused(new(Id, session.Attempt - 1, RefusalReason.Failed, "old", 0), 0));
        Assert.Equal(1, session.Count);
    }

    [Fact]
    public void A_gap_submits_again_with_the_next_attempt_and_all_tokens()
    {
        var session = Running();
        Sample(session, 3, 50);
        var submit = Submitted(Sample(session, 5, 52));
        Assert.Equal((2L << 20) + 2, submit.Attempt);
        Sequences.Equal([5, 6, 7, 50], submit.Tokens);
        Assert.Equal(3, submit.PromptLength);
    }

    [Theory]
    [InlineData(RefusalReason.Busy, 0, 100)]
    [InlineData(RefusalReason.Unknown, 0, 100)]
    [InlineData(RefusalReason.NotReady, 700, 700)]
    [InlineData(RefusalReason.Failed, 0, 100)]
    public void A_refused_session_comes_back_after_a_delay(RefusalReason reason, int hintMs, int latestMs)
    {
        var session = Running();
        Sample(session, 3, 50);
        Assert.Empty(session.Refused(new(Id, session.Attempt, reason, "no", hintMs), 10));
        Assert.Empty(ToScheduler(session.Tick(10 + (latestMs / 2) - 1)));
        Assert.Equal(4, Submitted(session.Tick(10 + latestMs)).Tokens.Length);
    }

    [Fact]
    public void A_node_that_fell_silent_on_trial_condemns_only_with_another_like_it()
    {
        var session = new SessionState(
            _options with { StallMs = 30_000, FailAfterMs = 60_000, ClientTimeoutMs = 60_000 }, Request(), [], "c", 0, new Random(1));
        session.Start(0);
        session.SchedulerAt(First, "", 0);
        session.Accepted(new(Id, session.Attempt, 0, 0), 1);
        Assert.True(Submitted(session.SchedulerAt(Second, "", 2, died: true)).IsSuspect);
        session.Accepted(new(Id, session.Attempt, 0, 0, IsOnTrial: true), 3);
        Assert.True(Submitted(session.SchedulerAt(First, "", 3003, died: true)).IsSuspect);
        session.Accepted(new(Id, session.Attempt, 0, 0, IsOnTrial: true), 3100);
        session.Accepted(new(Id, session.Attempt, 2, 0, IsOnTrial: true), 6000);
        Assert.Single(Told(session.SchedulerAt(Second, "", 6200, died: true)).OfType<SessionProtocol.Finished>(), f => f.Reason == FinishReason.Poisonous);
    }

    [Fact]
    public void A_session_whose_pipeline_died_is_suspect_until_its_next_token_and_ends_when_it_killed_alone()
    {
        var session = Running();
        Assert.False(Submitted(session.SchedulerAt(Second, "", 1, died: true)).IsSuspect);
        session.Accepted(new(Id, session.Attempt, 0, 0), 2);
        Assert.True(Submitted(session.SchedulerAt(First, "", 3, died: true)).IsSuspect);
        session.Accepted(new(Id, session.Attempt, 0, 0, IsOnTrial: true), 4);
        Sample(session, 3, 50);
        session.Accepted(new(Id, session.Attempt, 4, 0), 5);
        Assert.True(Submitted(session.SchedulerAt(Second, "", 6, died: true)).IsSuspect);
        session.Accepted(new(Id, session.Attempt, 0, 0, IsOnTrial: true), 7);
        Assert.True(Submitted(session.SchedulerAt(First, "", 8)).IsSuspect);

        session.Accepted(new(Id, session.Attempt, 0, 0, IsOnTrial: true), 9);
        var end = Told(session.SchedulerAt(Second, "", 10, died: true)).OfType<SessionProtocol.Finished>().Single();
        Assert.Equal((FinishReason.Poisonous, 1), (end.Reason, end.Count));
    }

    [Fact]
    public void A_scheduler_that_found_a_session_poisonous_ends_it()
    {
        var session = Running();
        var end = Told(session.Refused(new(Id, session.Attempt, RefusalReason.Poisonous, "it killed", 0), 1)).OfType<SessionProtocol.Finished>().Single();
        Assert.Equal((FinishReason.Poisonous, "it killed"), (end.Reason, end.Error));
    }

    [Fact]
    public void A_new_scheduler_is_submitted_to_at_once_and_the_old_one_told()
    {
        var session = Running();
        var effects = session.SchedulerAt(Second, "", 5);
        Assert.Equal(new SessionEffect.ToScheduler(First, new SchedulerProtocol.Withdraw(Id, session.Attempt - 1)), effects[0]);
        Assert.Equal(Second, Assert.IsType<SessionEffect.ToScheduler>(effects[1]).Scheduler);
        Assert.Equal((2L << 20) + 2, Submitted(effects).Attempt);

        Assert.DoesNotContain(session.SchedulerAt(null, "", 6), e => e is SessionEffect.ToScheduler { Message: SchedulerProtocol.Submit });
        Assert.Equal((2L << 20) + 3, Submitted(session.SchedulerAt(First, "", 7)).Attempt);
    }

    [Fact]
    public void A_silent_scheduler_is_submitted_to_again_and_one_that_answers_is_waited_for()
    {
        var session = Running();
        Assert.Equal(new SchedulerProtocol.Renew(Id, session.Attempt), ToScheduler(session.Tick(100)).Single());
        Assert.Empty(session.Accepted(new(Id, session.Attempt, 0, 4), 300));
        Assert.DoesNotContain(ToScheduler(session.Tick(649)), m => m is SchedulerProtocol.Submit);
        Assert.Equal((2L << 20) + 2, Submitted(session.Tick(650)).Attempt);
    }

    [Fact]
    public void A_queue_is_waited_in_without_end_while_the_scheduler_answers()
    {
        var session = Running();
        for (var now = 0; now < 60_000; now += 100)
        {
            session.Accepted(new(Id, session.Attempt, 0, 4), now);
            Assert.DoesNotContain(session.Tick(now), e => e is SessionEffect.ToClient);
            session.Acknowledge(new(Id, 2, 0), "c", now);
        }

        Assert.False(session.IsFinished);
    }

    [Fact]
    public void A_stop_string_ends_the_session_withdraws_it_and_gives_its_tail()
    {
        var session = Running();
        var effects = session.Sampled(new(Id, session.Attempt, 3, 50, false), id => new(id, "ab", "c", true), 40);
        Assert.Equal(new SchedulerProtocol.Withdraw(Id, session.Attempt), ToScheduler(effects).Single());
        Assert.Equal(
            new SessionProtocol.Finished(Id, 2, 1, FinishReason.Stop, "c", null, new(40, 40)), Told(effects).Last());
    }

    [Theory]
    [InlineData(99, 3, FinishReason.Stop)]
    [InlineData(50, 6, FinishReason.Length)]
    [InlineData(50, 3, FinishReason.Length)]
    public void The_last_token_tells_why_the_session_ends(int id, int position, FinishReason reason)
    {
        var session = Running();
        for (var p = 3; p < position; p++)
            Sample(session, p, 60 + p);
        var effects = session.Sampled(new(Id, session.Attempt, position, id, true), Read, 0);
        Assert.Empty(ToScheduler(effects));
        session.Acknowledge(new(Id, 2, 1), "c", 0);
        Assert.Equal(reason, Told(session.Resume(new(Id, 2, position - 2), "c", 0)).OfType<SessionProtocol.Finished>().Single().Reason);
    }

    [Fact]
    public void A_session_without_tokens_that_finds_its_scheduler_busy_says_so_and_ends()
    {
        var session = Running();
        var effects = session.Refused(new(Id, session.Attempt, RefusalReason.Busy, "9 wait", 700), 10);
        Assert.Equal(new SessionProtocol.Refused(Id, 2, RefusalReason.Busy, "9 wait", 700), Told(effects).Single());
        Assert.IsType<SessionEffect.Stop>(effects[^1]);
    }

    [Fact]
    public void A_session_whose_client_is_cut_off_gives_back_what_it_holds_and_goes_on_when_it_is_heard_again()
    {
        var session = Running();
        Sample(session, 3, 50);
        Assert.Empty(session.ClientLost("another"));
        Assert.IsType<SchedulerProtocol.Withdraw>(ToScheduler(session.ClientLost("c")).Single());
        Assert.Empty(session.ClientLost("c"));
        Assert.Empty(ToScheduler(session.SchedulerAt(Second, "", 20)));
        Assert.Empty(session.Tick(3000).OfType<SessionEffect.ToScheduler>());
        var submit = Submitted(session.Resume(new(Id, 2, 1), "d", 3100));
        Sequences.Equal([5, 6, 7, 50], submit.Tokens);
        Assert.Equal(Second, session.Tick(3500).OfType<SessionEffect.ToScheduler>().Single().Scheduler);

        session.ClientLost("d");
        Assert.IsType<SessionEffect.Stop>(session.Tick(3100 + _options.ClientTimeoutMs)[^1]);
    }

    [Fact]
    public void An_invalid_request_ends_with_the_schedulers_message()
    {
        var session = Running();
        var finished = Told(session.Refused(new(Id, session.Attempt, RefusalReason.Invalid, "Too long.", 0), 0)).OfType<SessionProtocol.Finished>().Single();
        Assert.Equal((FinishReason.Failed, "Too long."), (finished.Reason, finished.Error));
    }

    [Fact]
    public void Without_any_pipeline_the_session_fails_at_its_bound_and_says_why()
    {
        var session = Started();
        session.SchedulerAt(null, "2 of 3 nodes are there", 0);
        Assert.Empty(session.Tick(1999));
        var finished = Told(session.Tick(2000)).OfType<SessionProtocol.Finished>().Single();
        Assert.Equal(FinishReason.Failed, finished.Reason);
        Assert.Equal("Session \"s\" ended: no progress for 2000 ms, after 0 tokens. No pipeline is ready: 2 of 3 nodes are there", finished.Error);
    }

    [Theory]
    [InlineData(700, 10_000, 700)]
    [InlineData(700, 300, 300)]
    [InlineData(0, 900, 900)]
    public void A_session_ends_with_what_it_has_at_its_deadline_or_at_the_nodes(int deadlineMs, int mostMs, int endMs)
    {
        var session = new SessionState(_options with { MaxDurationMs = mostMs }, Request() with { DeadlineMs = deadlineMs }, [], "c", 0, new Random(1));
        session.Start(0);
        session.SchedulerAt(First, "", 0);
        Sample(session, 3, 50);
        session.Accepted(new(Id, session.Attempt, 4, 0), endMs - 1);
        Assert.Empty(Told(session.Tick(endMs - 1)).OfType<SessionProtocol.Finished>());
        var effects = session.Tick(endMs);
        Assert.IsType<SchedulerProtocol.Withdraw>(ToScheduler(effects).Single());
        var finished = Told(effects).OfType<SessionProtocol.Finished>().Single();
        Assert.Equal((FinishReason.Expired, 1, null), (finished.Reason, finished.Count, finished.Error));
    }

    [Fact]
    public void A_pipeline_that_keeps_failing_ends_the_session()
    {
        var session = Running();
        for (var now = 1; now < 3; now++)
        {
            session.Refused(new(Id, session.Attempt, RefusalReason.Failed, "Batch lost.", 0), now);
            Submitted(session.Tick(now + 500));
        }

        var effects = session.Refused(new(Id, session.Attempt, RefusalReason.Failed, "Batch lost.", 0), 600);
        Assert.Contains("failed 3 times", Told(effects).OfType<SessionProtocol.Finished>().Single().Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_session_opened_again_goes_on_from_the_tokens_its_client_has()
    {
        var session = new SessionState(_options, Request(), [Read(50), Read(51)], "c", 0, new Random(1));
        Assert.IsType<SessionProtocol.Opened>(Told(session.Start(0)).Single());
        Sequences.Equal([5, 6, 7, 50, 51], Submitted(session.SchedulerAt(First, "", 0)).Tokens);
        Assert.Equal(2, Told(Sample(session, 5, 52)).OfType<SessionProtocol.Tokens>().Single().FirstIndex);
    }

    [Fact]
    public void A_session_opened_again_with_a_complete_answer_only_finishes()
    {
        var session = new SessionState(_options, Request(), [Read(50), Read(99)], "c", 0, new Random(1));
        var told = Told(session.Start(0)).ToList();
        Assert.IsType<SessionProtocol.Opened>(told[0]);
        Assert.Equal((2, FinishReason.Stop), (((SessionProtocol.Finished)told[1]).Count, ((SessionProtocol.Finished)told[1]).Reason));
        Assert.Empty(session.SchedulerAt(First, "", 0));
    }

    [Fact]
    public void Unacknowledged_tokens_are_sent_again_and_no_more_than_a_window_is_on_its_way()
    {
        var session = Started(maxTokens: 9);
        session.SchedulerAt(First, "", 0);
        for (var i = 0; i < 4; i++)
            session.Sampled(new(Id, session.Attempt, 3 + i, 50 + i, false), Read, i);
        Assert.Empty(Told(session.Tick(199)));
        var again = Told(session.Tick(200)).OfType<SessionProtocol.Tokens>().Single();
        Assert.Equal(0, again.FirstIndex);
        Sequences.Equal([50, 51, 52], again.Ids);

        Assert.Empty(session.Acknowledge(new(Id, 2, 3), "someone else", 210));
        var more = Told(session.Acknowledge(new(Id, 2, 2), "c", 210)).OfType<SessionProtocol.Tokens>().Single();
        Assert.Equal(3, more.FirstIndex);
        Sequences.Equal([53], more.Ids);
        Assert.Equal(2, Told(session.Tick(410)).OfType<SessionProtocol.Tokens>().Single().FirstIndex);
        session.Acknowledge(new(Id, 2, 4), "c", 420);
        Assert.Empty(Told(session.Tick(700)));
    }

    [Fact]
    public void Resuming_attaches_the_sender_from_its_index_on()
    {
        var session = Running();
        Sample(session, 3, 50);
        Sample(session, 4, 51);
        session.Acknowledge(new(Id, 2, 2), "c", 0);
        var effect = Assert.IsType<SessionEffect.ToClient>(Assert.Single(session.Resume(new(Id, 2, 1), "d", 0)));
        Assert.Equal("d", effect.Client);
        Sequences.Equal([51], ((SessionProtocol.Tokens)effect.Message).Ids);
        Assert.Equal(RefusalReason.Unknown, ((SessionProtocol.Refused)Told(session.Resume(new(Id, 2, 3), "d", 0)).Single()).Reason);
    }

    [Fact]
    public void A_repeated_open_attaches_and_other_epochs_are_refused()
    {
        var session = Running();
        Sample(session, 3, 50);
        var effects = session.Open(OpenAt(2), "d", 0);
        Assert.All(effects, e => Assert.Equal("d", ((SessionEffect.ToClient)e).Client));
        Assert.Equal([typeof(SessionProtocol.Opened), typeof(SessionProtocol.Tokens)], Told(effects).Select(m => m.GetType()));
        Assert.Equal(RefusalReason.Stale, ((SessionProtocol.Refused)Told(session.Open(OpenAt(1), "e", 0)).Single()).Reason);
        Assert.Equal(RefusalReason.Stale, ((SessionProtocol.Refused)Told(session.Cancel(new(Id, 1), "e", 0)).Single()).Reason);
        Assert.Equal(RefusalReason.Unknown, ((SessionProtocol.Refused)Told(session.Acknowledge(new(Id, 3, 0), "e", 0)).Single()).Reason);
        Assert.Equal(new SchedulerProtocol.Withdraw(Id, session.Attempt), ToScheduler(session.Supersede()).Single());
        Assert.Empty(session.Tick(1));
    }

    [Fact]
    public void Cancelling_frees_the_sequence_and_the_end_is_told_until_it_is_acknowledged()
    {
        var session = Running();
        Sample(session, 3, 50);
        var effects = session.Cancel(new(Id, 2), "c", 10);
        Assert.Equal(new SchedulerProtocol.Withdraw(Id, session.Attempt), ToScheduler(effects).Single());
        Assert.Equal(FinishReason.Cancelled, Told(effects).OfType<SessionProtocol.Finished>().Single().Reason);
        Assert.Empty(session.Acknowledge(new(Id, 2, 1), "c", 20));
        Assert.IsType<SessionProtocol.Finished>(Told(session.Tick(220)).Single());
        Assert.IsType<SessionEffect.Stop>(session.Acknowledge(new(Id, 2, 2), "c", 230).Single());
        Assert.Empty(session.Tick(5000));
    }

    [Fact]
    public void A_finished_session_whose_client_is_gone_stops_after_a_while()
    {
        var session = Running();
        session.Cancel(new(Id, 2), "c", 10);
        Assert.DoesNotContain(session.Tick(1009), e => e is SessionEffect.Stop);
        Assert.IsType<SessionEffect.Stop>(session.Tick(1010).Single());
    }

    [Fact]
    public void A_session_whose_client_is_silent_is_withdrawn_and_stops()
    {
        var session = Running();
        for (var now = 0; now < 5000; now += 100)
        {
            session.Accepted(new(Id, session.Attempt, 0, 0), now);
            Assert.DoesNotContain(session.Tick(now), e => e is SessionEffect.Stop);
        }

        var effects = session.Tick(5000);
        Assert.IsType<SchedulerProtocol.Withdraw>(ToScheduler(effects).Single());
        Assert.IsType<SessionEffect.Stop>(effects[^1]);
    }

    [Fact]
    public void Logits_pass_through_while_their_attempt_is_current()
    {
        var session = Running();
        var part = new SchedulerProtocol.LogitsPart(Id, session.Attempt, 2, 0, 2, new byte[8]);
        Assert.Equal(2, Assert.IsType<SessionProtocol.LogitsPart>(Told(session.LogitsPart(part)).Single()).Position);
        Assert.Empty(session.LogitsPart(part with { Attempt = 1 }));
    }

    [Fact]
    public void Requests_that_can_never_run_have_a_fault()
    {
        Assert.Null(Request().Fault(0, _options));
        Assert.Contains("empty", (Request() with { PromptTokens = [] }).Fault(0, _options), StringComparison.Ordinal);
        Assert.Contains("3 tokens do not fit the context of 3", (Request() with { MaxPositions = 3 }).Fault(0, _options), StringComparison.Ordinal);
        Assert.Contains("is 0", (Request() with { MaxTokens = 0 }).Fault(0, _options), StringComparison.Ordinal);
        var ceiling = Request().Fault(0, _options with { MaxTokens = 3 });
        Assert.Contains("4 tokens were asked for, but a session may have 3", ceiling, StringComparison.Ordinal);
        Assert.Contains("deadline is -1 ms", (Request() with { DeadlineMs = -1 }).Fault(0, _options), StringComparison.Ordinal);
        Assert.Contains("5 tokens exist already, more than the 4", Request().Fault(5, _options), StringComparison.Ordinal);
    }

    [Fact]
    public void Options_with_faults_name_all_of_them()
    {
        Assert.Empty(new SessionOptions().Faults());
        var faults = new SessionOptions { StallMs = 10, LingerMs = 0, BackOff = new(5, 4) }.Faults().ToList();
        Assert.Equal(3, faults.Count);
        Assert.Contains("LingerMs is 0", faults[0], StringComparison.Ordinal);
    }

    private static SessionRequest Request() => new(Id, 2, [5, 6, 7], 4, [99], new(0, 1, 0, 0), LogitsWanted.None, 100);

    private static SessionProtocol.Open OpenAt(long epoch) =>
        new(Id, epoch, new([5, 6, 7], null, null), null, new(4, [], false), [], LogitsWanted.None);

    private static GeneratedToken Read(int id) => new(id, $"<{id}>", "", false);

    private static ImmutableArray<SessionEffect> Sample(SessionState session, int position, int id) =>
        session.Sampled(new(Id, session.Attempt, position, id, false), Read, 0);

    private static IEnumerable<IClusterMessage> Told(ImmutableArray<SessionEffect> effects) =>
        effects.OfType<SessionEffect.ToClient>().Select(e => e.Message);

    private static IEnumerable<IClusterMessage> ToScheduler(ImmutableArray<SessionEffect> effects) =>
        effects.OfType<SessionEffect.ToScheduler>().Select(e => e.Message);

    private static SchedulerProtocol.Submit Submitted(ImmutableArray<SessionEffect> effects) =>
        Assert.Single(ToScheduler(effects).OfType<SchedulerProtocol.Submit>());

    private SessionState Started(int maxTokens = 4)
    {
        var session = new SessionState(_options, Request() with { MaxTokens = maxTokens }, [], "c", 0, new Random(1));
        Assert.Equal([5, 6, 7], Assert.IsType<SessionProtocol.Opened>(Told(session.Start(0)).Single()).PromptTokens.ToArray());
        return session;
    }

    private SessionState Running()
    {
        var session = Started();
        session.SchedulerAt(First, "", 0);
        return session;
    }
}
