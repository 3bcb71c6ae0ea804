using System.Runtime.InteropServices;

namespace ActorLlama.Planning.Kv;

/// <summary>Which sequences hold the KV of which prefix, by the hash chain of its blocks.</summary>
internal sealed class PrefixIndex
{
    private readonly Dictionary<ulong, List<SequenceKv>> _holders = [];

    /// <summary>All complete blocks of it, those that are new to the index.</summary>
    public void Add(SequenceKv kv)
    {
        for (; kv.Indexed < kv.Computed / KvRoom.BlockPositions; kv.Indexed++)
        {
            ref var holders = ref CollectionsMarshal.GetValueRefOrAddDefault(_holders, kv.Chain.Of(kv.Indexed + 1), out _);
            (holders ??= []).Add(kv);
        }
    }

    public void Remove(SequenceKv kv)
    {
        for (; kv.Indexed > 0; kv.Indexed--)
        {
            var hash = kv.Chain.Of(kv.Indexed);
            _holders[hash].Remove(kv);
            if (_holders[hash].Count == 0)
                _holders.Remove(hash);
        }
    }

    /// <summary>Forgets everything; who was in it is not to be added again.</summary>
    public void Clear()
    {
        foreach (var kv in _holders.Values.SelectMany(h => h))
            (kv.Indexed, kv.IsShareable) = (0, false);
        _holders.Clear();
    }

    /// <summary>
    /// Who holds the longest prefix of these tokens, of at most <paramref name="limit"/> positions; null when nobody holds a block of it that
    /// <paramref name="canShare"/> allows.
    /// </summary>
    public (SequenceKv Holder, int Positions)? Find(List<int> tokens, PrefixChain chain, int limit, Func<SequenceKv, int, bool> canShare)
    {
        for (var blocks = limit / KvRoom.BlockPositions; blocks > 0; blocks--)
        {
            if (!_holders.TryGetValue(chain.Of(blocks), out var holders))
                continue;
            var positions = blocks * KvRoom.BlockPositions;
            foreach (var holder in holders)
                if (canShare(holder, positions) && Same(holder.Tokens, tokens, positions))
                    return (holder, positions);
        }

        return null;
    }

    private static bool Same(List<int> a, List<int> b, int count) =>
        CollectionsMarshal.AsSpan(a)[..count].SequenceEqual(CollectionsMarshal.AsSpan(b)[..count]);
}
