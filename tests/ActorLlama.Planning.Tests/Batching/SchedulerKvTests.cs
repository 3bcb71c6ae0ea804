using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>Who gets KV blocks, who gives them back, and who begins with whose.</summary>
public sealed class SchedulerKvTests
{
    private readonly SchedulerOptions _options = new()
    {
        MaxSequences = 8,
        TokenBudget = 256,
        PrefillChunk = 256,
        BatchDeadlineMs = 100,
        MaxAttempts = 3,
        Kv = Whole(4),
        MaxPositions = 1000,
    };

    [Fact]
    public void A_prompt_is_let_in_when_its_blocks_are_free_beside_one_more_for_each_that_runs()
    {
        var state = new SchedulerState(_options, 0, 1, new Random(1));
        state.Submit(Request("a", 0, 100), "a", 0);
        Assert.Equal((1, 2L), (state.Load.Running, state.Load.Whole.Used));
        state.Submit(Request("b", 500, 100), "b", 0);
        state.Submit(Request("c", 600, 10), "c", 0);
        Assert.Equal((1, 2), (state.Load.Running, state.Load.Waiting));
        state.Withdraw(new(new("b"), 1), 0);
        Assert.Equal((2, 0), (state.Load.Running, state.Load.Waiting));
    }

    [Fact]
    public void Once_nobody_is_left_what_is_freed_has_been_told_after_a_tick_and_then_time_changes_nothing()
    {
        var state = new SchedulerState(_options with { SharesPrefixes = false }, 0, 1, new Random(1));
        Assert.True(state.IsIdle);
        var batch = Batch(state.Submit(Request("a", 0, 100), "a", 0));
        state.Withdraw(new(new("a"), 1), 0);
        Assert.False(state.IsIdle);
        SchedulerEffect[] effects = [.. state.Ran(new(batch.Batch, [1]), 0), .. state.Tick(1)];
        Assert.Single(effects.OfType<SchedulerEffect.Free>());
        Assert.True(state.IsIdle);
        Assert.Equal(0, state.Load.Whole.Used);
        Assert.Empty(state.Tick(1_000_000));
    }

    [Fact]
    public void When_blocks_run_out_the_youngest_gives_its_own_and_begins_anew_from_all_its_tokens()
    {
        var state = new SchedulerState(_options with { Kv = Whole(3) }, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("old", 0, 63), "old", 0));
        state.Submit(Request("young", 500, 62), "young", 0);
        batch = Batch(state.Ran(new(batch.Batch, [7]), 0));
        Sequences.Equal([(63, 1), (0, 62)], batch.Sequences.Select(s => (s.Start, s.Count)));
        batch = Batch(state.Ran(new(batch.Batch, [7, 9]), 0));
        Assert.Equal(3, state.Load.Whole.Used);

        // Beyond 64 positions there is a block for the old one only: the young one waits with the block that it has, until the old one needs it.
        for (var position = 64; position < 128; position++)
            batch = Batch(state.Ran(Answer(batch), 0));
        Assert.Equal((1, 1, 1L), (state.Load.Running, state.Load.Waiting, state.Load.Preemptions));
        Sequences.Equal([(128, 1)], batch.Sequences.Select(s => (s.Start, s.Count)));

        // Its prompt, and all that were sampled before.
        state.Withdraw(new(new("old"), 1), 0);
        batch = Batch(state.Ran(Answer(batch), 0));
        var again = batch.Sequences.Single();
        Assert.Equal((0, 65), (again.Start, again.Count));
        Assert.NotNull(again.Sampling);
        Sequences.Equal([500, 561, 9], [batch.Ids[0], batch.Ids[61], batch.Ids[62]]);
    }

    [Fact]
    public void A_prompt_that_begins_like_another_takes_over_its_complete_blocks()
    {
        var state = new SchedulerState(_options with { Kv = Whole(10) }, 0, 1, new Random(1));
        var first = Batch(state.Submit(Request("a", 0, 150), "a", 0));
        var second = Batch(state.Submit(Request("b", 0, 140) with { Tokens = [.. Ids(0, 130), .. Ids(700, 10)] }, "b", 0), expected: false);
        Assert.Null(second);
        second = Batch(state.Ran(new(first.Batch, [1]), 0));
        var rows = second.Sequences.Single(s => s.PrefixOf is not null);
        Assert.Equal((first.Sequences[0].Sequence, 128, 12), (rows.PrefixOf, rows.Start, rows.Count));
        Assert.Equal((4L, 2L), (state.Load.Whole.Used, state.Load.SharedBlocks));
        second = Batch(state.Ran(Answer(second), 0));
        Assert.All(second.Sequences, s => Assert.Null(s.PrefixOf));
        Assert.Equal(128, state.Load.ReusedPositions);
    }

    [Theory]
    [InlineData(64, 300, 256)]
    [InlineData(128, 300, 256)]
    [InlineData(192, 300, 256)]
    [InlineData(192, 400, 192)]
    [InlineData(100, 300, 0)]
    public void Of_chunked_layers_the_chunk_at_the_end_of_the_prefix_must_still_be_held(int chunk, int computed, int shared)
    {
        var state = new SchedulerState(_options with { PrefillChunk = 64, Kv = new(new(100, 100), HasWhole: true, chunk) }, 0, 1, new Random(1));
        var batch = Batch(state.Submit(Request("a", 0, computed), "a", 0));
        while (state.Load.BatchesInFlight > 0 && batch.Sequences[0].Sampling is null)
            batch = Batch(state.Ran(Answer(batch), 0));
        state.Submit(Request("b", 0, 270) with { Tokens = [.. Ids(0, 260), .. Ids(700, 10)] }, "b", 0);
        batch = Batch(state.Ran(Answer(batch), 0));
        Assert.Equal(shared, batch.Sequences.Single(s => s.Count > 1).Start);
    }

    [Fact]
    public void The_kv_of_finished_sequences_serves_others_until_the_room_is_needed_the_longest_unused_first()
    {
        var state = new SchedulerState(_options with { Kv = Whole(6) }, 0, 1, new Random(1));
        Run(state, Request("a", 0, 129) with { MaxTokens = 1 });
        Run(state, Request("b", 300, 129) with { MaxTokens = 1 });
        Assert.Equal((0L, 6L), (state.Load.Whole.Used, state.Load.Whole.Held));

        // Begins like a, and needs a block more than are free: b goes, which nobody has used since.
        var batch = Batch(state.Submit(Request("c", 0, 130) with { MaxTokens = 1 }, "c", 0));
        Assert.Equal(128, batch.Sequences.Single().Start);
        Assert.Equal(2, batch.Freed.Single().Value & 0xFFFF_FFFF);
        state.Ran(Answer(batch), 0);
        Assert.Equal(128, state.Load.ReusedPositions);
        batch = Batch(state.Submit(Request("d", 300, 130) with { MaxTokens = 1 }, "d", 0));
        Assert.Equal(0, batch.Sequences.Single().Start);
    }

    [Fact]
    public void Rows_whose_logits_are_wanted_are_not_taken_over()
    {
        var state = new SchedulerState(_options with { Kv = Whole(20) }, 0, 1, new Random(1));
        Run(state, Request("a", 0, 200) with { MaxTokens = 1 });
        var batch = Batch(state.Submit(Request("b", 0, 200) with { Logits = LogitsWanted.All, MaxTokens = 1 }, "b", 0));
        Assert.Equal(0, batch.Sequences.Single().Start);
        state.Ran(Answer(batch), 0);
        batch = Batch(state.Submit(Request("c", 0, 129) with { Logits = LogitsWanted.Generated, MaxTokens = 1 }, "c", 0));
        Assert.Equal(128, batch.Sequences.Single().Start);
    }

    [Fact]
    public void Sequences_whose_kv_a_stage_has_lost_begin_anew_and_share_with_nobody_of_before()
    {
        var state = new SchedulerState(_options with { Kv = Whole(20) }, 0, 1, new Random(1));
        Run(state, Request("kept", 0, 129) with { MaxTokens = 1 });
        var batch = Batch(state.Submit(Request("a", 0, 129), "a", 0));
        Assert.Equal(128, batch.Sequences.Single().Start);
        for (var losses = 1; losses < _options.MaxAttempts; losses++)
        {
            var again = Batch(state.Failed(new(batch.Batch, RefusalReason.Unknown, "nothing is held here"), 0));
            Assert.Equal((0, null), (again.Sequences.Single().Start, again.Sequences.Single().PrefixOf));
            Assert.Contains(batch.Sequences.Single().Sequence, again.Freed);
            batch = again;
        }

        var effects = state.Failed(new(batch.Batch, RefusalReason.Unknown, "nothing is held here"), 0);
        var refused = Assert.Single(effects.OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Refused>());
        Assert.Equal((RefusalReason.Failed, true), (refused.Reason, refused.Message.Contains("lost 3 times: nothing is held here", StringComparison.Ordinal)));
        Assert.Equal((0, 0L), (state.Load.Running, state.Load.Whole.Held));
    }

    [Fact]
    public void Without_sharing_nothing_is_kept()
    {
        var state = new SchedulerState(_options with { SharesPrefixes = false }, 0, 1, new Random(1));
        Run(state, Request("a", 0, 129) with { MaxTokens = 1 });
        Assert.Equal(0, state.Load.Whole.Held);
    }

    [Fact]
    public void The_plan_gives_a_chunk_of_the_chunked_layers_to_each_sequence_it_expects()
    {
        ModelShape Shape(params int?[] chunks) => new("m", 8, 8, 8, 1, 1, 1, 1, 1, 4, [.. chunks.Select(c => new LayerShape(false, 1, 1, c))]);
        Assert.Equal(new KvRoom(new(16, 8), true, 128), KvRoom.Of(Shape(128, null), 1024, 4));
        Assert.Equal(new KvRoom(new(16, 12), true, 100), KvRoom.Of(Shape(100, null), 1024, 4));
        Assert.Equal(new KvRoom(new(16, 16), true, 8192), KvRoom.Of(Shape(null, 8192), 1024, 4));
        Assert.Equal(new KvRoom(new(16, 0), true, null), KvRoom.Of(Shape(null, null), 1024, 4));
        Assert.Equal(new KvRoom(new(0, 8), false, 128), KvRoom.Of(Shape(128), 1024, 4));
    }

    private static KvRoom Whole(int blocks) => new(new(blocks, 0), HasWhole: true, Chunk: null);

    private static IEnumerable<int> Ids(int first, int count) => Enumerable.Range(first, count);

    private static SchedulerProtocol.Submit Request(string session, int firstId, int tokens) => new(
        new(session), 1, [.. Ids(firstId, tokens)], tokens, 100, [], new(0, 1, 0, 0), LogitsWanted.None);

    private static StageProtocol.Ran Answer(SchedulerEffect.RunBatch batch) =>
        new(batch.Batch, [.. batch.Sequences.Where(s => s.Sampling is not null).Select(_ => 5)]);

    private static void Run(SchedulerState state, SchedulerProtocol.Submit submit)
    {
        var effects = state.Submit(submit, "", 0);
        while (effects.OfType<SchedulerEffect.RunBatch>().SingleOrDefault() is { } batch)
            effects = state.Ran(Answer(batch), 0);
    }

    private static SchedulerEffect.RunBatch Batch(ImmutableArray<SchedulerEffect> effects) => Batch(effects, expected: true)!;

    private static SchedulerEffect.RunBatch? Batch(ImmutableArray<SchedulerEffect> effects, bool expected)
    {
        var batch = effects.OfType<SchedulerEffect.RunBatch>().SingleOrDefault();
        Assert.Equal(expected, batch is not null);
        return batch;
    }
}
