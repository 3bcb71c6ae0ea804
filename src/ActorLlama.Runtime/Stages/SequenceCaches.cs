using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Stages;

/// <summary>The KV caches of one stage, by sequence. Owned by its StageActor.</summary>
internal sealed class SequenceCaches(Func<KvCache> create) : IDisposable
{
    private readonly Dictionary<SequenceId, KvCache> _caches = [];

    public long Bytes => _caches.Values.Sum(c => c.Bytes);

    public int Count => _caches.Count;

    /// <summary>
    /// The rows of a batch over their caches: a sequence that starts at 0 gets a fresh one. Null with the reason when rows start beyond what
    /// is held here.
    /// </summary>
    public RowBatch? TryRows(ImmutableArray<StageProtocol.BatchRows> sequences, out string reason)
    {
        reason = "";
        var rows = ImmutableArray.CreateBuilder<SequenceRows>(sequences.Length);
        foreach (var s in sequences)
        {
            if (s.Start == 0) Free([s.Sequence]);
            if (!_caches.TryGetValue(s.Sequence, out var cache))
            {
                if (s.Start > 0)
                {
                    reason = $"sequence {s.Sequence.Value} starts at {s.Start}, but none of it is held here";
                    return null;
                }

                _caches[s.Sequence] = cache = create();
            }

            if (s.Start > cache.Length)
            {
                reason = $"sequence {s.Sequence.Value} starts at {s.Start}, but {cache.Length} positions are held here";
                return null;
            }

            rows.Add(new SequenceRows(cache, s.Start, s.Count));
        }

        return new RowBatch(rows.MoveToImmutable());
    }

    public void Free(ImmutableArray<SequenceId> sequences)
    {
        foreach (var sequence in sequences)
            if (_caches.Remove(sequence, out var cache)) cache.Dispose();
    }

    public void Dispose()
    {
        foreach (var cache in _caches.Values) cache.Dispose();
        _caches.Clear();
    }
}
