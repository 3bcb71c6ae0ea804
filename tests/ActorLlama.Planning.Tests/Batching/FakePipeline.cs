using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>
/// Stages and KV caches of a pipeline that computes nothing: the token after a prefix is a hash of the whole prefix, so a row that was
/// skipped, or written by another sequence, shows in every later token. Holds blocks as stages do: those of chunked layers go when a batch
/// starts beyond their chunk, shared ones once. <paramref name="inOrder"/>: batches run as they were sent, so room is never exceeded.
/// </summary>
internal sealed class FakePipeline(KvRoom? room = null, bool inOrder = false)
{
    private readonly KvRoom _room = room ?? KvRoom.Unbounded;
    private readonly Dictionary<SequenceId, Cache> _caches = [];
    private readonly HashSet<SequenceId> _freed = [];

    public int HeldSequences => _caches.Count;

    /// <summary>Blocks that exist.</summary>
    public KvCount Blocks => new(
        _caches.Values.SelectMany(c => c.Whole).Distinct().Count(), _caches.Values.SelectMany(c => c.Chunked.Values).Distinct().Count());

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
            _caches.Remove(sequence);
            _freed.Add(sequence);
        }
    }

    /// <summary>All KV is lost, as when a stage's actor starts anew.</summary>
    public void Forget() => _caches.Clear();

    /// <summary>Whether the rows follow on what is held; else the stages would answer Unknown.</summary>
    public bool Holds(SchedulerEffect.RunBatch run) => run.Sequences.All(r =>
        r.Start == 0 || (_caches.TryGetValue(r.Sequence, out var own) ? own.Ids.Count >= r.Start : r.PrefixOf is { } from && _caches.ContainsKey(from)));

    public StageProtocol.Ran Run(SchedulerEffect.RunBatch run)
    {
        Free(run.Freed);
        List<int> sampled = [];
        List<TokenLogProbs> logProbs = [];
        var next = 0;
        foreach (var rows in run.Sequences)
        {
            Assert.DoesNotContain(rows.Sequence, _freed);
            var cache = Open(rows);
            Assert.True(rows.Start <= cache.Ids.Count, $"Sequence {rows.Sequence}: row {rows.Start} comes after only {cache.Ids.Count} rows.");
            for (var position = rows.Start; position < rows.Start + rows.Count; position++)
            {
                var id = run.Ids[next++];
                if (position < cache.Ids.Count)
                    Assert.Equal(cache.Ids[position], id);
                else
                    cache.Ids.Add(id);
            }

            Grow(cache, rows);
            Assert.InRange(rows.Logits, 0, rows.Count);
            if (rows.Sampling is not null)
                sampled.Add(Next(cache.Ids.Take(rows.Start + rows.Count)));
            if (rows.LogProbs is { } top)
                logProbs.Add(LogProbs(sampled[^1], top));
        }

        Assert.Equal(run.Ids.Length, next);
        // A batch that overtakes another takes its blocks before that one has let go of a chunk.
        if (inOrder)
            Assert.True(Blocks.FitsIn(_room.Blocks), $"{Blocks} are held of {_room.Blocks}");
        return new(run.Batch, [.. sampled], logProbs.Count == 0 ? null : [.. logProbs]);
    }

    private Cache Open(StageProtocol.BatchRows rows)
    {
        if (_caches.TryGetValue(rows.Sequence, out var known))
            return known;
        var cache = _caches[rows.Sequence] = new Cache();
        if (rows.PrefixOf is not { } from)
            return cache;
        Assert.Equal(0, rows.Start % KvRoom.BlockPositions);
        Assert.True(_caches.TryGetValue(from, out var prefix), $"Sequence {rows.Sequence} begins with {from}, which is not held.");
        Assert.InRange(rows.Start, 1, prefix.Ids.Count);
        var blocks = rows.Start / KvRoom.BlockPositions;
        cache.Ids.AddRange(prefix.Ids.Take(rows.Start));
        cache.Whole.AddRange(prefix.Whole.Take(blocks));
        for (var b = FirstSeen(rows.Start); b < blocks; b++)
            cache.Chunked.Add(b, prefix.Chunked[b]);
        return cache;
    }

    private void Grow(Cache cache, StageProtocol.BatchRows rows)
    {
        var end = (rows.Start + rows.Count + KvRoom.BlockPositions - 1) / KvRoom.BlockPositions;
        if (_room.HasWhole)
            while (cache.Whole.Count < end)
                cache.Whole.Add(new object());
        if (_room.Chunk is not { } chunk)
            return;
        var first = FirstSeen(rows.Start);
        foreach (var gone in cache.Chunked.Keys.Where(b => b < first).ToList())
            cache.Chunked.Remove(gone);
        for (var b = first; b < end; b++)
            if (!cache.Chunked.ContainsKey(b))
            {
                Assert.True(b * KvRoom.BlockPositions >= rows.Start - (rows.Start % KvRoom.BlockPositions), $"block {b} of a chunk is missing at row {rows.Start}");
                cache.Chunked.Add(b, new object());
            }
    }

    /// <summary>At a chunk's border the block before it is no longer seen.</summary>
    private int FirstSeen(int position) => _room.Chunk is { } chunk ? position / chunk * chunk / KvRoom.BlockPositions : int.MaxValue;

    private sealed class Cache
    {
        public List<int> Ids { get; } = [];

        public List<object> Whole { get; } = [];

        public Dictionary<int, object> Chunked { get; } = [];
    }
}
