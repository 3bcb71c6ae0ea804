namespace ActorLlama.Planning.Kv;

/// <summary>
/// The blocks of one sequence, as every stage of its pipeline holds them: of whole layers from position 0, of chunked layers from block
/// <see cref="ChunkedFrom"/> on. Changed by <see cref="KvLedger"/> alone.
/// </summary>
internal sealed class KvTable
{
    public List<KvBlock> Whole { get; } = [];

    public List<KvBlock> Chunked { get; } = [];

    public int ChunkedFrom { get; set; }

    /// <summary>A running sequence holds it; else it is kept only for prompts that begin alike.</summary>
    public bool IsUsed { get; set; } = true;

    public int ChunkedEnd => ChunkedFrom + Chunked.Count;
}

/// <summary>A block that one or more tables hold. Only complete blocks are ever shared, and these are written no more.</summary>
internal sealed class KvBlock(bool isChunked)
{
    public bool IsChunked { get; } = isChunked;

    public int Holders { get; set; }

    /// <summary>Those of the holders that are used.</summary>
    public int Users { get; set; }
}
