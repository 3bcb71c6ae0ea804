namespace ActorLlama.Planning.Kv;

/// <summary>
/// Counts the KV blocks of a pipeline exactly as its stages hold them, each block once however many sequences share it. Takes no decision:
/// the caller asks what is needed before it grows a table.
/// </summary>
internal sealed class KvLedger(KvRoom room)
{
    private KvCount _held;
    private KvCount _used;

    public KvRoom Room => room;

    /// <summary>Blocks that anybody holds.</summary>
    public KvCount Held => _held;

    /// <summary>Blocks that running sequences hold.</summary>
    public KvCount Used => _used;

    /// <summary>Blocks that are held twice or more by running sequences.</summary>
    public long Shared { get; private set; }

    /// <summary>Blocks that nobody holds.</summary>
    public KvCount Free => room.Blocks - _held;

    /// <summary>Blocks that the rows [start, start + count) of a used table add to <see cref="Used"/>: new ones, less those that only it used and lets go of.</summary>
    public KvCount NeedUsed(KvTable table, int start, int count) => Need(table, start, count, b => b.Users == 1);

    /// <summary>The same for <see cref="Held"/>: a block that is kept elsewhere does not come free.</summary>
    public KvCount NeedHeld(KvTable table, int start, int count) => Need(table, start, count, b => b.Holders == 1);

    /// <summary>Whether rows from there on let go of blocks.</summary>
    public bool LetsGo(KvTable table, int start) => room.Chunk is not null && table.Chunked.Count > 0 && room.FirstChunkedBlock(start) > table.ChunkedFrom;

    /// <summary>What the stages do with the rows [start, start + count): chunks before that of start go, blocks up to the end come.</summary>
    public void Grow(KvTable table, int start, int count)
    {
        var end = KvRoom.BlocksOf(start + count);
        if (room.HasWhole)
            while (table.Whole.Count < end)
                table.Whole.Add(Take(new(isChunked: false), table.IsUsed));
        if (room.Chunk is null)
            return;
        var first = room.FirstChunkedBlock(start);
        for (; table.ChunkedFrom < first && table.Chunked.Count > 0; table.ChunkedFrom++)
        {
            Leave(table.Chunked[0], table.IsUsed);
            table.Chunked.RemoveAt(0);
        }

        table.ChunkedFrom = Math.Max(table.ChunkedFrom, first);
        while (table.ChunkedEnd < end)
            table.Chunked.Add(Take(new(isChunked: true), table.IsUsed));
    }

    /// <summary>
    /// Whether a sequence can begin with the first <paramref name="positions"/> of this one, whole blocks of it: the chunked layers must still
    /// hold that part of their chunk. At a chunk's border they need nothing.
    /// </summary>
    public bool CanShare(KvTable table, int positions) =>
        room.Chunk is not { } chunk || positions % chunk == 0 || room.FirstChunkedBlock(positions) >= table.ChunkedFrom;

    /// <summary>Blocks of <paramref name="from"/> that would be shared and that no running sequence holds now.</summary>
    public KvCount Revived(KvTable from, int positions) => new(
        WholePart(from, positions).Count(b => b.Users == 0), ChunkedPart(from, positions).Count(b => b.Users == 0));

    /// <summary>Blocks that the first <paramref name="positions"/> of a table are.</summary>
    public KvCount Part(KvTable from, int positions) => new(WholePart(from, positions).Count(), ChunkedPart(from, positions).Count());

    /// <summary>A used table that begins with the first <paramref name="positions"/> of another.</summary>
    public KvTable Share(KvTable from, int positions)
    {
        var table = new KvTable();
        table.Whole.AddRange(WholePart(from, positions).Select(b => Take(b, used: true)));
        if (room.Chunk is null)
            return table;
        table.Chunked.AddRange(ChunkedPart(from, positions).Select(b => Take(b, used: true)));
        table.ChunkedFrom = room.FirstChunkedBlock(positions);
        return table;
    }

    /// <summary>The table is kept, but used no more.</summary>
    public void Retire(KvTable table)
    {
        foreach (var block in table.Whole.Concat(table.Chunked))
        {
            Leave(block, used: true);
            Take(block, used: false);
        }

        table.IsUsed = false;
    }

    public void Release(KvTable table)
    {
        foreach (var block in table.Whole.Concat(table.Chunked))
            Leave(block, table.IsUsed);
        table.Whole.Clear();
        table.Chunked.Clear();
    }

    private KvCount Need(KvTable table, int start, int count, Func<KvBlock, bool> comesFree)
    {
        var end = KvRoom.BlocksOf(start + count);
        var whole = room.HasWhole ? end - table.Whole.Count : 0;
        if (room.Chunk is null)
            return new(whole, 0);
        var first = room.FirstChunkedBlock(start);
        var given = table.Chunked.Take(first - table.ChunkedFrom).Count(comesFree);
        return new(whole, end - Math.Max(first, table.ChunkedEnd) - given);
    }

    private IEnumerable<KvBlock> WholePart(KvTable from, int positions) =>
        room.HasWhole ? from.Whole.Take(positions / KvRoom.BlockPositions) : [];

    private IEnumerable<KvBlock> ChunkedPart(KvTable from, int positions)
    {
        if (room.Chunk is not { } chunk || positions % chunk == 0)
            return [];
        var first = room.FirstChunkedBlock(positions);
        return from.Chunked.Skip(first - from.ChunkedFrom).Take((positions / KvRoom.BlockPositions) - first);
    }

    private KvBlock Take(KvBlock block, bool used)
    {
        if (++block.Holders == 1)
            _held += One(block);
        if (!used)
            return block;
        block.Users++;
        if (block.Users == 1)
            _used += One(block);
        else if (block.Users == 2)
            Shared++;
        return block;
    }

    private void Leave(KvBlock block, bool used)
    {
        if (--block.Holders == 0)
            _held -= One(block);
        if (!used)
            return;
        block.Users--;
        if (block.Users == 0)
            _used -= One(block);
        else if (block.Users == 1)
            Shared--;
    }

    private static KvCount One(KvBlock block) => block.IsChunked ? new(0, 1) : new(1, 0);
}
