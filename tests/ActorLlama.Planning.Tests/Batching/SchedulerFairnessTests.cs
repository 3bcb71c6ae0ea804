using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>How much of a long prompt runs between two tokens of those who stream; counted in rows, not in time.</summary>
public sealed class SchedulerFairnessTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 3)]
    public void Long_prompts_delay_each_token_of_the_others_by_at_most_one_chunk(int batchesInFlight, int longPrompts)
    {
        var options = new SchedulerOptions { TokenBudget = 300, PrefillChunk = 128, MaxBatchesInFlight = batchesInFlight };
        var state = new SchedulerState(options, 0, 1, new Random(1));
        var batches = new Queue<SchedulerEffect.RunBatch>();
        var promptRows = new Dictionary<SessionId, int>();
        var worst = 0;

        void Take(IEnumerable<SchedulerEffect> effects)
        {
            foreach (var run in effects.OfType<SchedulerEffect.RunBatch>()) batches.Enqueue(run);
        }

        void RunOne()
        {
            var batch = batches.Dequeue();
            var rows = batch.Sequences.Where(s => s.Count > 1).Sum(s => s.Count);
            foreach (var session in promptRows.Keys) promptRows[session] += rows;
            var effects = state.Ran(new(batch.Batch, [.. batch.Sequences.Where(s => s.Sampling is not null).Select(_ => 1)]), 0);
            foreach (var sampled in effects.OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Sampled>())
            {
                if (promptRows.TryGetValue(sampled.Session, out var waited)) worst = Math.Max(worst, waited);
                if (promptRows.ContainsKey(sampled.Session)) promptRows[sampled.Session] = 0;
            }

            Take(effects);
        }

        for (var i = 0; i < 8; i++) Take(state.Submit(Request($"streaming {i}", 1000 * i, 10), "", 0));
        for (var i = 0; i < 30; i++) RunOne();
        for (var i = 0; i < 8; i++) promptRows[new($"streaming {i}")] = 0;
        for (var i = 0; i < longPrompts; i++) Take(state.Submit(Request($"long {i}", 10_000 * (i + 1), 4000), "", 0));
        var answered = 0;
        while (promptRows.Count > 0 && answered++ < 4000 / options.PrefillChunk * longPrompts * (batchesInFlight + 1)) RunOne();

        // The prompts are done, and never did more than a chunk of them come between two tokens.
        Assert.Equal(options.PrefillChunk, worst);
        for (var i = 0; i < longPrompts; i++)
            Assert.Contains(
                state.Renew(new(new($"long {i}"), 1), "", 0).OfType<SchedulerEffect.Tell>().Select(t => t.Message).OfType<SchedulerProtocol.Accepted>(),
                a => a.Computed >= 4000);
    }

    private static SchedulerProtocol.Submit Request(string session, int firstId, int tokens) => new(
        new(session), 1, [.. Enumerable.Range(firstId, tokens)], tokens, 10_000, [], new(0, 1, 0, 0), LogitsWanted.None);
}
