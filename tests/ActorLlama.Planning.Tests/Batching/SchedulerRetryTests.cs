using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;
using FsCheck;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>A batch that fails is sent again at once; then it rests, ever longer, for a time that is drawn; and it is given up after its last attempt.</summary>
public sealed class SchedulerRetryTests
{
    private const int TickMs = 10;

    [Property(MaxTest = 200, EndSize = 1_000_000)]
    public void Retries_are_bounded_and_all_but_the_first_rest(NonNegativeInt seed)
    {
        var random = new Random(seed.Get);
        var options = new SchedulerOptions { MaxAttempts = random.Next(1, 8), RetryMs = random.Next(1, 400), RetryMaxMs = random.Next(1, 3000), BatchDeadlineMs = 10_000 };
        var rests = Rests(options, random, out var refusal);
        Assert.Equal(options.MaxAttempts - 1, rests.Count);
        Assert.Equal(RefusalReason.Failed, refusal.Reason);
        Assert.Contains($"failed {options.MaxAttempts} times", refusal.Message, StringComparison.Ordinal);
        Assert.All(rests.Take(1), rest => Assert.Equal(0, rest));
        foreach (var (failures, rest) in rests.Skip(1).Index())
        {
            var most = Math.Min(options.RetryMaxMs, (long)options.RetryMs << failures);
            Assert.InRange(rest, most - (most / 2), most + TickMs);
        }
    }

    [Fact]
    public void Two_schedulers_that_lost_the_same_stage_do_not_come_back_together()
    {
        var options = new SchedulerOptions { MaxAttempts = 3, RetryMs = 1000 };
        Assert.InRange(Enumerable.Range(0, 20).Select(seed => Rests(options, new Random(seed), out _)[1]).Distinct().Count(), 10, 20);
    }

    [Fact]
    public void An_answer_that_comes_while_the_next_attempt_rests_is_taken_and_the_batch_not_sent_again()
    {
        var state = new SchedulerState(new SchedulerOptions { MaxAttempts = 3, RetryMs = 1000 }, 0, 1, new Random(1));
        var submit = new SchedulerProtocol.Submit(new("s"), 1, [1, 2, 3], 3, 1, [], new(0, 1, 0, 0), LogitsWanted.None);
        var first = Sent(state.Submit(submit, "key", 0));
        var second = Sent(state.Failed(new(first.Batch, RefusalReason.Failed, "lost"), 0));
        Assert.Empty(state.Failed(new(second.Batch, RefusalReason.Failed, "lost"), 0).OfType<SchedulerEffect.RunBatch>());
        var told = state.Ran(new(second.Batch, [7]), 1).OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Sampled>().Single();
        Assert.Equal((7, true), (told.Id, told.IsLast));
        Assert.Equal(0, state.Load.BatchesInFlight);
        Assert.Empty(state.Tick(5000).OfType<SchedulerEffect.RunBatch>());

        static SchedulerEffect.RunBatch Sent(IEnumerable<SchedulerEffect> effects) => effects.OfType<SchedulerEffect.RunBatch>().Single();
    }

    /// <summary>How long the batch of one session rests before each attempt but the first, and what the session is told in the end.</summary>
    private static List<long> Rests(SchedulerOptions options, Random random, out SchedulerProtocol.Refused refusal)
    {
        var state = new SchedulerState(options, 0, 1, random);
        var submit = new SchedulerProtocol.Submit(new("s"), 1, [1, 2, 3], 3, 5, [], new(0, 1, 0, 0), LogitsWanted.None);
        List<long> rests = [];
        var (now, failedMs) = (0L, -1L);
        var effects = state.Submit(submit, "key", now);
        while (effects.OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Refused>().FirstOrDefault() is null)
        {
            if (effects.OfType<SchedulerEffect.RunBatch>().SingleOrDefault() is { } run)
            {
                if (failedMs >= 0) rests.Add(now - failedMs);
                failedMs = now;
                effects = state.Failed(new(run.Batch, RefusalReason.Failed, "lost"), now);
                continue;
            }

            Assert.True(now < 60_000, "the batch is neither sent nor given up");
            now += TickMs;
            state.Renew(new(submit.Session, 1), "key", now);
            effects = state.Tick(now);
        }

        refusal = effects.OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Refused>().Single();
        Assert.Equal(0, state.Load.BatchesInFlight);
        return rests;
    }
}
