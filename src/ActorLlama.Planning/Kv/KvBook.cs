using ActorLlama.Protocol;

namespace ActorLlama.Planning.Kv;

/// <summary>
/// All KV of a pipeline: what its running sequences hold, what is kept of finished ones for prompts that begin alike, and who begins with
/// whose blocks. Room is found by dropping what is kept, the longest unused first; what running sequences hold is their scheduler's to take.
/// </summary>
internal sealed class KvBook(KvRoom room, bool sharesPrefixes)
{
    private readonly KvLedger _ledger = new(room);
    private readonly PrefixIndex _index = new();
    private readonly LinkedList<SequenceKv> _kept = [];
    private int _doomed;

    /// <summary>Sequences whose KV the stages are to drop; emptied by who tells them.</summary>
    public List<SequenceId> Dropped { get; } = [];

    public KvRoom Room => room;

    /// <summary>Blocks that running sequences hold.</summary>
    public KvCount Used => _ledger.Used;

    /// <summary>Blocks that anybody holds: also what is kept, and what is about to go.</summary>
    public KvCount Held => _ledger.Held;

    /// <summary>Blocks that more than one running sequence holds.</summary>
    public long SharedBlocks => _ledger.Shared;

    /// <summary>Positions that were not computed because somebody held them.</summary>
    public long ReusedPositions { get; private set; }

    /// <summary>Room comes free by itself once batches in flight are over.</summary>
    public bool IsPinned => _doomed > 0 || _kept.Any(k => k.Pins > 0);

    /// <summary>Blocks that running sequences do not hold.</summary>
    public KvCount Available => room.Blocks - _ledger.Used;

    /// <summary>Blocks to be found for all these tokens, should they begin now; of their prefix at most <paramref name="limit"/> positions are shared.</summary>
    public KvCount NeedToBegin(List<int> tokens, PrefixChain chain, int limit)
    {
        var all = room.Most(tokens.Count, 0);
        if (Find(tokens, chain, limit) is not var (holder, positions))
            return all;
        return all - _ledger.Part(holder.Table, positions) + _ledger.Revived(holder.Table, positions);
    }

    /// <summary>Blocks still to be found for a sequence that runs, up to so many positions.</summary>
    public KvCount NeedToReach(SequenceKv kv, int positions)
    {
        var rows = positions - kv.Computed;
        if (rows <= 0)
            return default;
        var chunk = _ledger.NeedUsed(kv.Table, kv.Computed, Math.Min(rows, room.Chunk ?? rows));
        return chunk with { Whole = _ledger.NeedUsed(kv.Table, kv.Computed, rows).Whole };
    }

    /// <summary>
    /// A sequence begins, with the longest prefix that somebody holds, of at most <paramref name="limit"/> positions; with none when room can
    /// only be had by dropping the holder. Null when not even one row has room.
    /// </summary>
    public SequenceKv? TryBegin(SequenceId id, List<int> tokens, PrefixChain chain, int limit)
    {
        if (Find(tokens, chain, limit) is var (holder, positions))
        {
            holder.Pins++;
            if (_kept.Remove(holder))
                _kept.AddLast(holder);
            var sharing = new SequenceKv(id, tokens, chain, _ledger.Share(holder.Table, positions), holder, positions);
            if (HasRoom(sharing, 1))
                return sharing;
            Unpin(sharing);
            _ledger.Release(sharing.Table);
        }

        var alone = new SequenceKv(id, tokens, chain, new KvTable(), null, 0);
        return HasRoom(alone, 1) ? alone : null;
    }

    /// <summary>
    /// Makes room for the next rows, at most <paramref name="wanted"/>, without taking any from running sequences. Returns for how many: all,
    /// as many as end with a block, or 0.
    /// </summary>
    public int Grow(SequenceKv kv, int wanted)
    {
        var count = wanted;
        while (count > 0 && !HasRoom(kv, count))
            count = Math.Max(0, ((kv.Computed + count - 1) / KvRoom.BlockPositions * KvRoom.BlockPositions) - kv.Computed);
        if (count > 0)
            _ledger.Grow(kv.Table, kv.Computed, count);
        return count;
    }

    /// <summary>
    /// Its next rows would let go of blocks that another sequence is about to begin with: a batch may overtake another on its way, so they wait
    /// for that one.
    /// </summary>
    public bool IsHeldBack(SequenceKv kv) => kv.Pins > 0 && _ledger.LetsGo(kv.Table, kv.Computed);

    /// <summary>All positions below <paramref name="computed"/> have run in all stages.</summary>
    public void HasRun(SequenceKv kv, int computed)
    {
        if (kv.Prefix is not null)
            ReusedPositions += kv.Computed;
        Unpin(kv);
        kv.Computed = computed;
        if (sharesPrefixes && kv.IsShareable)
            _index.Add(kv);
    }

    /// <summary>
    /// Nobody runs it any more. <paramref name="keep"/>: its blocks may serve others until the room is needed, unless others hold as much of
    /// the same tokens.
    /// </summary>
    public void End(SequenceKv kv, bool keep)
    {
        Unpin(kv);
        if (keep && sharesPrefixes && IsWorthKeeping(kv))
        {
            _ledger.Retire(kv.Table);
            _kept.AddLast(kv);
        }
        else
        {
            Drop(kv);
        }
    }

    /// <summary>The stages may have lost anything: what was computed so far serves nobody but who runs it.</summary>
    public void Distrust()
    {
        _index.Clear();
        foreach (var kv in _kept)
            Drop(kv);
        _kept.Clear();
    }

    private bool HasRoom(SequenceKv kv, int count)
    {
        if (!_ledger.NeedUsed(kv.Table, kv.Computed, count).FitsIn(Available))
            return false;
        bool Fits() => _ledger.NeedHeld(kv.Table, kv.Computed, count).FitsIn(_ledger.Free);
        for (var oldest = _kept.First; oldest is not null && !Fits();)
        {
            var (next, kept) = (oldest.Next, oldest.Value);
            if (kept.Pins == 0)
            {
                _kept.Remove(oldest);
                Drop(kept);
            }

            oldest = next;
        }

        return Fits();
    }

    private bool IsWorthKeeping(SequenceKv kv)
    {
        var complete = kv.Indexed * KvRoom.BlockPositions;
        return complete > 0
            && _index.Find(kv.Tokens, kv.Chain, complete, (holder, positions) => holder != kv && CanShare(holder, positions))?.Positions != complete;
    }

    private (SequenceKv Holder, int Positions)? Find(List<int> tokens, PrefixChain chain, int limit) =>
        sharesPrefixes ? _index.Find(tokens, chain, limit, CanShare) : null;

    private bool CanShare(SequenceKv holder, int positions) => _ledger.CanShare(holder.Table, positions);

    private void Unpin(SequenceKv kv)
    {
        if (kv.Prefix is not { } prefix)
            return;
        kv.Prefix = null;
        if (--prefix.Pins > 0 || !prefix.IsDoomed)
            return;
        _doomed--;
        Release(prefix);
    }

    private void Drop(SequenceKv kv)
    {
        _index.Remove(kv);
        if (kv.Pins == 0)
        {
            Release(kv);
            return;
        }

        kv.IsDoomed = true;
        _doomed++;
    }

    private void Release(SequenceKv kv)
    {
        _ledger.Release(kv.Table);
        Dropped.Add(kv.Id);
    }
}
