using System.Collections.Immutable;
using System.Runtime.InteropServices;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Stages;

/// <summary>
/// What one stage holds of its sequences: KV caches, and beside them the ids of the same positions, written as K and V are. So the history
/// that a repetition penalty looks at is rebuilt, repeated and freed with the cache. Owned by its StageActor.
/// </summary>
internal sealed class SequenceCaches(Func<KvCache> create) : IDisposable
{
    private readonly Dictionary<SequenceId, Held> _held = [];

    private sealed record Held(KvCache Cache, List<int> Ids);

    /// <summary>
    /// The rows of a batch over their caches: a sequence that starts at 0 gets a fresh one. <paramref name="ids"/>: the token of each row.
    /// Null with the reason when rows start beyond what is held here.
    /// </summary>
    public RowBatch? TryRows(ImmutableArray<StageProtocol.BatchRows> sequences, ImmutableArray<int> ids, out string reason)
    {
        reason = "";
        var rows = ImmutableArray.CreateBuilder<SequenceRows>(sequences.Length);
        var first = 0;
        foreach (var s in sequences)
        {
            if (s.Start == 0) Free([s.Sequence]);
            if (!_held.TryGetValue(s.Sequence, out var held))
            {
                if (Begin(s) is not { } begun)
                {
                    reason = $"sequence {s.Sequence} starts at {s.Start}, but {(s.PrefixOf is { } from ? $"that much of {from}" : "the rest of it")} is not held here";
                    return null;
                }

                _held[s.Sequence] = held = begun;
            }

            var length = Math.Min(held.Cache.Length, held.Ids.Count);
            if (s.Start > length)
            {
                reason = $"sequence {s.Sequence} starts at {s.Start}, but {length} positions are held here";
                return null;
            }

            if (ids.Length - first < s.Count)
            {
                reason = $"the batch has {ids.Length} ids, too few for its rows";
                return null;
            }

            held.Ids.RemoveRange(s.Start, held.Ids.Count - s.Start);
            held.Ids.AddRange(ids.AsSpan(first, s.Count));
            first += s.Count;
            rows.Add(new SequenceRows(held.Cache, s.Start, s.Count));
        }

        return new RowBatch(rows.MoveToImmutable());
    }

    /// <summary>The first <paramref name="count"/> ids of a sequence, of rows that were let in; valid until the next batch.</summary>
    public ReadOnlySpan<int> Ids(SequenceId sequence, int count) => CollectionsMarshal.AsSpan(_held[sequence].Ids)[..count];

    public void Free(ImmutableArray<SequenceId> sequences)
    {
        foreach (var sequence in sequences)
            if (_held.Remove(sequence, out var held)) held.Cache.Dispose();
    }

    /// <summary>At 0 with nothing, or with the first positions of another sequence; null when they are not held.</summary>
    private Held? Begin(StageProtocol.BatchRows rows)
    {
        if (rows.Start == 0) return new(create(), []);
        if (rows.PrefixOf is not { } from || !_held.TryGetValue(from, out var prefix)) return null;
        return Math.Min(prefix.Cache.Length, prefix.Ids.Count) >= rows.Start && prefix.Cache.TryFork(rows.Start) is { } cache
            ? new(cache, prefix.Ids[..rows.Start])
            : null;
    }

    public void Dispose()
    {
        foreach (var held in _held.Values) held.Cache.Dispose();
        _held.Clear();
    }
}
