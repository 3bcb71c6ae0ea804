using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>Batches that kill what runs them.</summary>
public sealed class PoisonTests
{
    private readonly SchedulerState _state = new(new SchedulerOptions { MaxBatchesInFlight = 1 }, 0, 1, new Random(1));

    [Fact]
    public void A_batch_that_killed_is_taken_apart_and_only_who_kills_alone_is_refused()
    {
        var alone = Batch(Submit("a"));
        Submit("b");
        Submit("c");
        var all = Batch(Sample(alone));
        Assert.Equal(3, all.Sequences.Length);

        var effects = Kill(all);
        var (first, told) = (Batch(effects), Told<SchedulerProtocol.Accepted>(effects));
        Assert.Equal((1, 2), (first.Sequences.Length, first.Batch.Attempt));
        Assert.Equal(("A", true), (told.Last().Key, told.Last().Message.IsOnTrial));
        effects = Sample(first);
        Assert.Equal("A", Assert.Single(Told<SchedulerProtocol.Sampled>(effects)).Key);

        var second = Batch(effects);
        Assert.Equal((1, 2), (second.Sequences.Length, second.Batch.Attempt));
        effects = Kill(second);
        var refused = Assert.Single(Told<SchedulerProtocol.Refused>(effects));
        Assert.Equal(("B", RefusalReason.Poisonous), (refused.Key, refused.Message.Reason));

        var third = Batch(effects);
        Assert.Equal((1, 2), (third.Sequences.Length, third.Batch.Attempt));
        var together = Batch(Sample(third));
        Assert.Equal((2, 1), (together.Sequences.Length, together.Batch.Attempt));
    }

    [Fact]
    public void A_suspect_runs_alone_until_its_next_token_and_the_others_wait_so_long()
    {
        var running = Batch(Submit("a"));
        Assert.Empty(Submit("b", isSuspect: true).OfType<SchedulerEffect.RunBatch>());
        var trial = Batch(Sample(running));
        Assert.Equal((1, 0, 3), (trial.Sequences.Length, trial.Sequences[0].Start, trial.Sequences[0].Count));
        Assert.Empty(Submit("c").OfType<SchedulerEffect.RunBatch>());
        Assert.Equal(3, Batch(Sample(trial)).Sequences.Length);
    }

    private ImmutableArray<SchedulerEffect> Submit(string name, bool isSuspect = false) => _state.Submit(
        new(new(name), 1, [1, 2, 3], 3, 100, [], new(0, 1, 0, 0), LogitsWanted.None, IsSuspect: isSuspect), name.ToUpperInvariant(), 0);

    private ImmutableArray<SchedulerEffect> Sample(SchedulerEffect.RunBatch batch) =>
        _state.Ran(new(batch.Batch, [.. batch.Sequences.Where(s => s.Sampling is not null).Select(_ => 7)]), 1);

    private ImmutableArray<SchedulerEffect> Kill(SchedulerEffect.RunBatch batch) => _state.Failed(new(batch.Batch, RefusalReason.Poisonous, "two nodes died"), 1);

    private static SchedulerEffect.RunBatch Batch(ImmutableArray<SchedulerEffect> effects) => effects.OfType<SchedulerEffect.RunBatch>().Single();

    private static (string Key, T Message)[] Told<T>(ImmutableArray<SchedulerEffect> effects) =>
        [.. effects.OfType<SchedulerEffect.Tell>().Where(t => t.Message is T).Select(t => (t.ReplyKey, (T)t.Message))];
}
