using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>
/// Stages and KV caches of a pipeline that computes nothing: the token after a prefix is a hash of the whole prefix, so a row that was
/// skipped, or written by another sequence, shows in every later token.
/// </summary>
internal sealed class FakePipeline
{
    private readonly Dictionary<SequenceId, List<int>> _kv = [];
    private readonly HashSet<SequenceId> _freed = [];

    public int HeldSequences => _kv.Count;

    public static int Next(IEnumerable<int> prefix)
    {
        var hash = 17u;
        foreach (var id in prefix)
            hash = (hash * 31) + (uint)id + 7;
        hash ^= hash >> 15;
        return (int)(hash * 2654435761u >> 8) % 1000;
    }

    /// <summary>The tokens that follow a prompt, up to and with the one that ends it.</summary>
    public static List<int> Answer(IReadOnlyList<int> prompt, int maxTokens, IReadOnlyCollection<int> stopIds)
    {
        List<int> all = [.. prompt];
        while (all.Count - prompt.Count < maxTokens)
        {
            all.Add(Next(all));
            if (stopIds.Contains(all[^1]))
                break;
        }

        return all[prompt.Count..];
    }

    public static TokenLogProbs LogProbs(int id, int top) => new(-id, [.. Enumerable.Range(id, top)], [.. Enumerable.Range(id, top).Select(i => -(float)i)]);

    public void Free(IEnumerable<SequenceId> sequences)
    {
        foreach (var sequence in sequences)
        {
            _kv.Remove(sequence);
            _freed.Add(sequence);
        }
    }

    public StageProtocol.Ran Run(SchedulerEffect.RunBatch run)
    {
        Free(run.Freed);
        List<int> sampled = [];
        List<TokenLogProbs> logProbs = [];
        var next = 0;
        foreach (var rows in run.Sequences)
        {
            Assert.DoesNotContain(rows.Sequence, _freed);
            if (!_kv.TryGetValue(rows.Sequence, out var kv))
                _kv.Add(rows.Sequence, kv = []);
            Assert.True(rows.Start <= kv.Count, $"Sequence {rows.Sequence.Value}: row {rows.Start} comes after only {kv.Count} rows.");
            for (var position = rows.Start; position < rows.Start + rows.Count; position++)
            {
                var id = run.Ids[next++];
                if (position < kv.Count)
                    Assert.Equal(kv[position], id);
                else
                    kv.Add(id);
            }

            Assert.InRange(rows.Logits, 0, rows.Count);
            if (rows.Sampling is not null)
                sampled.Add(Next(kv.Take(rows.Start + rows.Count)));
            if (rows.LogProbs is { } top)
                logProbs.Add(LogProbs(sampled[^1], top));
        }

        Assert.Equal(run.Ids.Length, next);
        return new(run.Batch, [.. sampled], logProbs.Count == 0 ? null : [.. logProbs]);
    }
}
