namespace ActorLlama.Planning.Kv;

/// <summary>
/// Numbers of KV blocks. A whole block is 64 positions in every layer that sees the whole context (NoPE layers), a chunked block 64 positions
/// in every layer that sees one chunk of it (RoPE layers), whichever stages these layers are on.
/// </summary>
public readonly record struct KvCount(long Whole, long Chunked)
{
    public static KvCount operator +(KvCount a, KvCount b) => new(a.Whole + b.Whole, a.Chunked + b.Chunked);

    public static KvCount operator -(KvCount a, KvCount b) => new(a.Whole - b.Whole, a.Chunked - b.Chunked);

    public bool FitsIn(KvCount room) => Whole <= room.Whole && Chunked <= room.Chunked;

    public override string ToString() => $"{Whole} whole and {Chunked} chunked blocks";
}
