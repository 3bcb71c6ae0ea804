namespace ActorLlama.Planning.Kv;

/// <summary>
/// Hashes of a sequence's whole blocks of tokens, each over everything before it too: equal prefixes have equal chains. The reverse is
/// checked token by token by <see cref="PrefixIndex"/>, so a collision costs time and no more.
/// </summary>
internal sealed class PrefixChain(List<int> tokens)
{
    private readonly List<ulong> _hashes = [];

    /// <summary>The hash of the first <paramref name="blocks"/> blocks, at least one.</summary>
    public ulong Of(int blocks)
    {
        while (_hashes.Count < blocks)
        {
            var hash = _hashes.Count == 0 ? 14695981039346656037UL : _hashes[^1];
            var first = _hashes.Count * KvRoom.BlockPositions;
            for (var i = first; i < first + KvRoom.BlockPositions; i++)
                hash = (hash ^ (uint)tokens[i]) * 1099511628211UL;
            _hashes.Add(hash);
        }

        return _hashes[blocks - 1];
    }
}
