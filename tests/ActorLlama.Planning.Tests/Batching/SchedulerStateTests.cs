using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

public sealed class SchedulerStateTests
{
    private static readonly SamplingOptions Greedy = new(0, 1, 0, 0);

    private readonly SchedulerOptions _options = new()
    {
        MaxSequences = 4,
        MaxWaiting = 2,
        TokenBudget = 8,
        PrefillChunk = 6,
        MaxBatchesInFlight = 1,
        BatchDeadlineMs = 100,
        MaxAttempts = 2,
        RenewalMs = 1000,
        Kv = Blocks(8),
        MaxPositions = 256,
    };

    [Fact]
    public void A_prompt_runs_in_chunks_and_samples_only_with_its_last_token()
    {
        var state = new SchedulerState(_options with { TokenBudget = 6 }, 2, 3, new Random(1));
        var effects = state.Submit(Request("a", 1, 8), "A", 0);
        Assert.Equal(new SchedulerProtocol.Accepted(new("a"), 1, 0, 0), Told(effects).Single());
        var first = Batch(effects);
        Assert.Equal(new BatchId(3, 1, 1, 2), first.Batch);
        var id = new SequenceId((3L << 32) | 1, 2);
        Sequences.Equal([new(id, 0, 6, null, 0)], first.Sequences);
        Sequences.Equal([0, 1, 2, 3, 4, 5], first.Ids);

        effects = state.Ran(new(first.Batch, []), 1);
        Assert.Equal(new SchedulerProtocol.Accepted(new("a"), 1, 6, 0), Told(effects).Single());
        var second = Batch(effects);
        Sequences.Equal([new(id, 6, 2, Greedy, 0)], second.Sequences);

        effects = state.Ran(new(second.Batch, [77]), 2);
        Assert.Equal(new SchedulerProtocol.Sampled(new("a"), 1, 8, 77, false), Told(effects).Single());
        var third = Batch(effects);
        Sequences.Equal([new(id, 8, 1, Greedy, 0)], third.Sequences);
        Sequences.Equal([77], third.Ids);
    }

    [Fact]
    public void A_prompt_takes_the_whole_batch_until_somebody_decodes()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 1, 9), "A", 0));
        Assert.Equal(8, batch.Sequences.Single().Count);
        state.Submit(Request("b", 1, 9), "B", 0);
        batch = Batch(state.Ran(new(batch.Batch, []), 0));
        Sequences.Equal([(8, 1), (0, 6)], batch.Sequences.Select(s => (s.Start, s.Count)));
        batch = Batch(state.Ran(new(batch.Batch, [5]), 0));
        Sequences.Equal([(9, 1), (6, 3)], batch.Sequences.Select(s => (s.Start, s.Count)));
        state.Submit(Request("c", 1, 9), "C", 0);
        batch = Batch(state.Ran(new(batch.Batch, [6, 7]), 0));
        Sequences.Equal([(10, 1), (9, 1), (0, 6)], batch.Sequences.Select(s => (s.Start, s.Count)));
    }

    [Fact]
    public void Decoding_rows_come_first_and_the_oldest_prompts_take_what_is_left_of_one_chunk()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 1, 2), "A", 0));
        state.Submit(Request("b", 1, 5), "B", 0);
        state.Submit(Request("c", 1, 5), "C", 0);
        batch = Batch(state.Ran(new(batch.Batch, [9]), 0));
        Sequences.Equal([(2, 1), (0, 5), (0, 1)], batch.Sequences.Select(s => (s.Start, s.Count)));
        Assert.NotNull(batch.Sequences[1].Sampling);
        Assert.Null(batch.Sequences[2].Sampling);
    }

    [Fact]
    public void Decoding_sequences_are_shared_out_over_the_batches_in_flight()
    {
        var state = new SchedulerState(_options with { MaxBatchesInFlight = 2 }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 4), "A", 0));
        var second = Batch(state.Submit(Request("b", 1, 4), "B", 0));
        first = Batch(state.Ran(new(first.Batch, [1]), 0));
        second = Batch(state.Ran(new(second.Batch, [2]), 0));
        Assert.Single(first.Sequences);
        Assert.Single(second.Sequences);
        Assert.Equal(2, state.Load.BatchesInFlight);
    }

    [Fact]
    public void On_one_device_all_decoding_sequences_go_together()
    {
        var state = new SchedulerState(_options with { MaxBatchesInFlight = 2 }, 0, 1, new Random(1));
        state.SpreadOver(devices: 1);
        var batch = Batch(state.Submit(Request("a", 1, 4), "A", 0));
        Assert.Empty(state.Submit(Request("b", 1, 4), "B", 0).OfType<SchedulerEffect.RunBatch>());
        batch = Batch(state.Ran(new(batch.Batch, [1]), 0));
        batch = Batch(state.Ran(new(batch.Batch, [2, 1]), 0));
        Assert.Equal(2, batch.Sequences.Length);
        state.SpreadOver(devices: 2);
        var effects = state.Ran(new(batch.Batch, [3, 2]), 0);
        Assert.All(effects.OfType<SchedulerEffect.RunBatch>(), run => Assert.Single(run.Sequences));
        Assert.Equal(2, state.Load.BatchesInFlight);
    }

    [Theory]
    [InlineData(LogitsWanted.None, 0, 0)]
    [InlineData(LogitsWanted.Generated, 0, 1)]
    [InlineData(LogitsWanted.All, 6, 2)]
    public void Logits_rows_are_those_asked_for(LogitsWanted wanted, int inFirstChunk, int inLastChunk)
    {
        var state = new SchedulerState(_options with { TokenBudget = 6 }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 8) with { Logits = wanted }, "A", 0));
        Assert.Equal(inFirstChunk, first.Sequences.Single().Logits);
        var effects = state.Ran(new(first.Batch, []), 0);
        Sequences.Equal(
            Enumerable.Range(0, inFirstChunk).Select(i => new LogitsRow(i, "A", new("a"), 1, i)),
            effects.OfType<SchedulerEffect.RouteLogits>().SelectMany(e => e.Rows));
        var last = Batch(effects);
        Assert.Equal(inLastChunk, last.Sequences.Single().Logits);
        effects = state.Ran(new(last.Batch, [5]), 0);
        var rows = effects.OfType<SchedulerEffect.RouteLogits>().SelectMany(e => e.Rows).ToList();
        Sequences.Equal(Enumerable.Range(8 - inLastChunk, inLastChunk), rows.Select(r => r.Position));
        if (inLastChunk > 0)
            Assert.IsType<SchedulerEffect.RouteLogits>(effects[0]);
    }

    [Fact]
    public void A_continued_session_gets_the_logits_of_its_generated_positions_again()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var request = Request("a", 1, 6) with { PromptLength = 3, Logits = LogitsWanted.Generated };
        Assert.Equal(4, Batch(state.Submit(request, "A", 0)).Sequences.Single().Logits);
    }

    [Fact]
    public void Choice_and_log_probabilities_go_with_the_row_that_samples_and_come_back_with_its_token_each_time_it_is_told()
    {
        var state = new SchedulerState(_options with { TokenBudget = 6 }, 0, 1, new Random(1));
        var request = Request("a", 1, 8) with { Choice = 3, LogProbs = 1 };
        var first = Batch(state.Submit(request, "A", 0));
        Assert.Equal((0, null), (first.Sequences[0].Choice, first.Sequences[0].LogProbs));
        var last = Batch(state.Ran(new(first.Batch, []), 0));
        Assert.Equal((3, 1), (last.Sequences[0].Choice, last.Sequences[0].LogProbs));
        Assert.Equal(2, Batch(state.Ran(new(last.Batch, [5]), 0)).Batch.Attempt);
        var likely = new TokenLogProbs(-0.5f, [5], [-0.5f]);
        var effects = state.Ran(new(last.Batch with { Attempt = 2 }, [5], [likely]), 0);
        Assert.Equal(likely, Assert.IsType<SchedulerProtocol.Sampled>(Told(effects).Single()).LogProbs);
        Assert.Equal(likely, Told(state.Submit(request, "A", 0)).OfType<SchedulerProtocol.Sampled>().Single().LogProbs);
    }

    [Theory]
    [InlineData(42, 10, 256)]
    [InlineData(43, 1, 256)]
    [InlineData(43, 10, 5)]
    public void A_sequence_ends_at_a_stop_id_at_its_length_or_at_the_context(int sampled, int maxTokens, int maxPositions)
    {
        var state = new SchedulerState(_options with { MaxPositions = maxPositions }, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 1, 4) with { MaxTokens = maxTokens, StopIds = [42] }, "A", 0));
        var effects = state.Ran(new(batch.Batch, [sampled]), 0);
        Assert.Equal(new SchedulerProtocol.Sampled(new("a"), 1, 4, sampled, true), Told(effects).Single());
        Sequences.Equal([batch.Sequences[0].Sequence], effects.OfType<SchedulerEffect.Free>().Single().Sequences);
        Assert.Equal((0, 0L), (state.Load.Running, state.Load.Whole.Used));
    }

    [Fact]
    public void A_repeated_attempt_is_not_restarted_and_gets_the_tokens_it_lacks()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 5, 3), "A", 0));
        batch = Batch(state.Ran(new(batch.Batch, [11]), 0));
        state.Ran(new(batch.Batch, [12]), 0);
        var effects = state.Submit(Request("a", 5, 3), "A2", 0);
        Sequences.Equal(
            [
                new SchedulerEffect.Tell("A2", new SchedulerProtocol.Accepted(new("a"), 5, 4, 0)),
                new SchedulerEffect.Tell("A2", new SchedulerProtocol.Sampled(new("a"), 5, 3, 11, false)),
                new SchedulerEffect.Tell("A2", new SchedulerProtocol.Sampled(new("a"), 5, 4, 12, false)),
            ],
            effects);
        Assert.Equal(RefusalReason.Stale, Refusal(state.Submit(Request("a", 4, 3), "A", 0)).Reason);
        Assert.Equal(1, state.Load.Running);
    }

    [Fact]
    public void A_higher_attempt_replaces_a_sequence_that_is_freed_after_its_batch()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var old = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        var effects = state.Submit(Request("a", 2, 3), "A", 0);
        Assert.IsType<SchedulerProtocol.Accepted>(Told(effects).Single());
        Assert.Equal(2, state.Load.Running);
        effects = state.Ran(new(old.Batch, [11]), 0);
        Assert.Empty(Told(effects));
        var batch = Batch(effects);
        Sequences.Equal([old.Sequences[0].Sequence], batch.Freed);
        Assert.Equal(new SequenceId((1L << 32) | 2, 0), batch.Sequences.Single().Sequence);
        Assert.Equal(1, state.Load.Running);
    }

    [Fact]
    public void Who_cannot_be_served_now_is_told_how_many_wait()
    {
        var state = new SchedulerState(_options with { MaxSequences = 1, MaxWaiting = 2 }, 0, 1, new Random(1));
        state.Submit(Request("a", 1, 3), "A", 0);
        Assert.Equal(new SchedulerProtocol.Accepted(new("b"), 1, 0, 1), Told(state.Submit(Request("b", 1, 3), "B", 0)).Single());
        Assert.Equal(new SchedulerProtocol.Accepted(new("c"), 1, 0, 2), Told(state.Submit(Request("c", 1, 3), "C", 0)).Single());
        var refused = Refusal(state.Submit(Request("d", 1, 3), "D", 0));
        Assert.Equal(RefusalReason.Busy, refused.Reason);
        Assert.Contains("2 sequences wait", refused.Message, StringComparison.Ordinal);
        Assert.Equal(750, refused.RetryAfterMs);

        // A session that is in keeps its place when it submits again.
        Assert.Equal(1, ((SchedulerProtocol.Accepted)Told(state.Submit(Request("a", 2, 3), "A", 0)).Single()).Ahead);
    }

    [Fact]
    public void Higher_priorities_are_let_in_first_but_only_for_so_long_and_in_order_of_arrival_among_themselves()
    {
        var state = new SchedulerState(_options with { MaxSequences = 1, MaxWaiting = 9, PriorityStepMs = 100 }, 0, 1, new Random(1));
        state.Submit(Request("running", 1, 3), "", 0);
        (string Session, SessionPriority Priority, long Now)[] arrivals =
        [
            ("low", SessionPriority.Low, 0), ("normal", SessionPriority.Normal, 10), ("high", SessionPriority.High, 20), ("high too", SessionPriority.High, 30),
            ("normal too", SessionPriority.Normal, 90), ("late", SessionPriority.High, 205),
        ];
        foreach (var (session, priority, now) in arrivals)
            state.Submit(Request(session, 1, 3) with { Priority = priority }, "", now);
        var ahead = arrivals.OrderBy(a => ((SchedulerProtocol.Accepted)Told(state.Renew(new(new(a.Session), 1), "", 300)).Single()).Ahead);
        Assert.Equal(["high", "high too", "normal", "normal too", "low", "late"], ahead.Select(a => a.Session));
    }

    [Fact]
    public void Requests_that_can_never_run_are_invalid_with_both_numbers()
    {
        var state = new SchedulerState(_options with { Kv = Blocks(2) }, 0, 1, new Random(1));
        var longer = Refusal(state.Submit(Request("a", 1, 300), "A", 0));
        Assert.Equal(RefusalReason.Invalid, longer.Reason);
        Assert.Contains("300 tokens do not fit the context of 256", longer.Message, StringComparison.Ordinal);
        var wide = Refusal(state.Submit(Request("a", 1, 100) with { MaxTokens = 101 }, "A", 0));
        Assert.Equal(RefusalReason.Invalid, wide.Reason);
        Assert.Contains("need 4 blocks of KV cache (of 64 positions), but the pipeline has 2", wide.Message, StringComparison.Ordinal);
        Assert.Equal(RefusalReason.Invalid, Refusal(state.Submit(Request("a", 1, 3) with { MaxTokens = 0 }, "A", 0)).Reason);
        Assert.Equal(RefusalReason.Invalid, Refusal(state.Submit(Request("a", 1, 0), "A", 0)).Reason);
        Assert.Equal(0, state.Load.Running + state.Load.Waiting);
    }

    [Fact]
    public void A_batch_without_answer_is_sent_again_and_then_its_sequences_are_refused_and_freed()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        Assert.IsType<SchedulerEffect.AskDevices>(state.Tick(99).Single());
        var again = Batch(state.Tick(100));
        Assert.Equal(first.Batch with { Attempt = 2 }, again.Batch);
        Sequences.Equal(first.Sequences, again.Sequences);
        Assert.Empty(state.Ran(new(first.Batch, [1]), 100));
        Assert.Empty(state.Failed(new(first.Batch, RefusalReason.Failed, "late"), 100));

        var effects = state.Failed(new(again.Batch, RefusalReason.Failed, "stage 1 is gone"), 150);
        Assert.Equal(RefusalReason.Failed, Refusal(effects).Reason);
        Assert.Contains("failed 2 times: stage 1 is gone", Refusal(effects).Message, StringComparison.Ordinal);
        Sequences.Equal([first.Sequences[0].Sequence], effects.OfType<SchedulerEffect.Free>().Single().Sequences);
        Assert.Equal((0, 0), (state.Load.Running, state.Load.BatchesInFlight));
    }

    [Fact]
    public void A_batch_that_a_stage_is_at_work_on_is_waited_for_but_not_for_ever()
    {
        var state = new SchedulerState(_options with { BatchLimitMs = 1000 }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        for (var now = 80; now < 1000; now += 80)
        {
            Assert.Empty(state.Tick(now).OfType<SchedulerEffect.RunBatch>());
            state.Progress(new(first.Batch with { Attempt = 2 }), now);
            state.Progress(new(first.Batch), now);
        }

        Assert.Equal(RefusalReason.Failed, Refusal(state.Tick(1000)).Reason);
    }

    [Fact]
    public void Devices_are_asked_while_nothing_is_heard_and_keep_batches_alive_that_no_later_one_has_overtaken()
    {
        var state = new SchedulerState(_options with { MaxBatchesInFlight = 2 }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        Assert.Empty(state.Tick(32));
        Assert.IsType<SchedulerEffect.AskDevices>(state.Tick(33).Single());
        Assert.Empty(state.Tick(34));
        state.AtWork(60);
        Assert.Empty(state.Tick(92));
        Assert.IsType<SchedulerEffect.AskDevices>(state.Tick(93).Single());
        var second = Batch(state.Submit(Request("b", 1, 3), "B", 95));
        state.AtWork(100);

        // The second is answered, so the first is not waiting behind anything.
        second = Batch(state.Ran(new(second.Batch, [1]), 150));
        state.AtWork(190);
        Assert.Equal(first.Batch with { Attempt = 2 }, Batch(state.Tick(200)).Batch);
    }

    [Theory]
    [InlineData(RefusalReason.NotReady)]
    [InlineData(RefusalReason.Loading)]
    public void Sequences_whose_stages_are_out_of_reach_are_told_that_the_pipeline_is_not_ready(RefusalReason reason)
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        var again = Batch(state.Failed(new(first.Batch, reason, "stage 1 is gone"), 10));
        Assert.Equal(RefusalReason.NotReady, Refusal(state.Failed(new(again.Batch, reason, "stage 1 is gone"), 20)).Reason);
    }

    [Fact]
    public void An_answer_with_a_wrong_number_of_ids_is_a_failed_attempt()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        Assert.Equal(2, Batch(state.Ran(new(first.Batch, [1, 2]), 0)).Batch.Attempt);
    }

    [Fact]
    public void A_withdrawn_sequence_in_flight_is_freed_after_its_batch_and_others_go_on()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3), "A", 0));
        Assert.Empty(state.Withdraw(new(new("a"), 0), 0));
        Assert.Empty(state.Withdraw(new(new("a"), 1), 0));
        Assert.Equal(1, state.Load.Running);
        var effects = state.Ran(new(first.Batch, [1]), 0);
        Sequences.Equal([first.Sequences[0].Sequence], effects.OfType<SchedulerEffect.Free>().Single().Sequences);
        Assert.Single(effects);
    }

    [Fact]
    public void What_was_freed_alone_is_freed_again_until_a_batch_with_it_is_answered()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 3) with { MaxTokens = 1 }, "A", 0));
        Assert.Single(state.Ran(new(first.Batch, [1]), 0).OfType<SchedulerEffect.Free>());
        var second = Batch(state.Submit(Request("b", 1, 3), "B", 0));
        Sequences.Equal([first.Sequences[0].Sequence], second.Freed);
        second = Batch(state.Tick(100));
        Sequences.Equal([first.Sequences[0].Sequence], second.Freed);
        Assert.Empty(Batch(state.Ran(new(second.Batch, [1]), 100)).Freed);
    }

    [Fact]
    public void A_tick_frees_what_no_batch_carries()
    {
        var state = new SchedulerState(_options with { TokenBudget = 4, PrefillChunk = 4 }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 1, 12), "A", 0));
        state.Submit(Request("b", 1, 12) with { Priority = SessionPriority.High }, "B", 0);
        var second = Batch(state.Ran(new(first.Batch, []), 0));
        Assert.NotEqual(first.Sequences.Single().Sequence, second.Sequences.Single().Sequence);
        Assert.Empty(state.Withdraw(new(new("a"), 1), 0));
        Sequences.Equal([first.Sequences.Single().Sequence], state.Tick(1).OfType<SchedulerEffect.Free>().Single().Sequences);
        Assert.Empty(state.Tick(2));
    }

    [Fact]
    public void A_session_that_is_not_renewed_is_dropped_and_then_unknown()
    {
        var state = new SchedulerState(_options with { BatchDeadlineMs = 100_000 }, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 2, 3), "A", 0));
        Assert.IsType<SchedulerProtocol.Accepted>(Told(state.Renew(new(new("a"), 2), "A", 900)).Single());
        Assert.Equal(RefusalReason.Stale, Refusal(state.Renew(new(new("a"), 1), "A", 900)).Reason);
        Assert.Equal(RefusalReason.Unknown, Refusal(state.Renew(new(new("a"), 3), "A", 900)).Reason);
        state.Tick(1900);
        Assert.IsType<SchedulerProtocol.Accepted>(Told(state.Renew(new(new("a"), 2), "A", 1900)).Single());
        state.Tick(2901);
        Assert.Equal(RefusalReason.Unknown, Refusal(state.Renew(new(new("a"), 2), "A", 2901)).Reason);
        Assert.Single(state.Ran(new(batch.Batch, [1]), 2901).OfType<SchedulerEffect.Free>());
    }

    [Fact]
    public void Closing_tells_every_session_to_go_elsewhere()
    {
        var state = new SchedulerState(_options with { MaxSequences = 1 }, 0, 1, new Random(1));
        state.Submit(Request("a", 1, 3), "A", 0);
        state.Submit(Request("b", 1, 3), "B", 0);
        var effects = state.Close("The plan changed.");
        Sequences.Equal(["A", "B"], effects.Cast<SchedulerEffect.Tell>().Select(t => t.ReplyKey));
        Assert.All(Told(effects), m => Assert.Equal(RefusalReason.NotReady, ((SchedulerProtocol.Refused)m).Reason));
    }

    [Fact]
    public void Options_with_faults_name_all_of_them()
    {
        Assert.Empty(new SchedulerOptions().Faults());
        var faults = (new SchedulerOptions() with { MaxAttempts = 0, TokenBudget = 4, MaxSequences = 5 }).Faults().ToList();
        Assert.Equal(2, faults.Count);
        Assert.Contains("MaxAttempts is 0", faults[0], StringComparison.Ordinal);
        Assert.Contains("TokenBudget 4 is below MaxSequences 5", faults[1], StringComparison.Ordinal);
    }

    private static SchedulerProtocol.Submit Request(string session, long attempt, int tokens) => new(
        new(session), attempt, [.. Enumerable.Range(0, tokens)], tokens, 20, [], Greedy, LogitsWanted.None);

    private static KvRoom Blocks(int whole) => new(new(whole, 0), HasWhole: true, Chunk: null);

    private static SchedulerEffect.RunBatch Batch(ImmutableArray<SchedulerEffect> effects) =>
        Assert.Single(effects.OfType<SchedulerEffect.RunBatch>());

    private static IEnumerable<IClusterMessage> Told(ImmutableArray<SchedulerEffect> effects) =>
        effects.OfType<SchedulerEffect.Tell>().Select(t => t.Message);

    private static SchedulerProtocol.Refused Refusal(ImmutableArray<SchedulerEffect> effects) =>
        Assert.Single(Told(effects).OfType<SchedulerProtocol.Refused>());
}
