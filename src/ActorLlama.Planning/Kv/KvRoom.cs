using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Kv;

/// <summary>
/// What a pipeline's plan gives to KV, and how a sequence fills it. <paramref name="HasWhole"/>: some layer sees the whole context.
/// <paramref name="Chunk"/>: positions of a chunk, or null when every layer sees the whole context.
/// </summary>
public sealed record KvRoom(KvCount Blocks, bool HasWhole, int? Chunk)
{
    /// <summary>KV is held in blocks of this many positions.</summary>
    public const int BlockPositions = 64;

    /// <summary>No bound, and layers that all see the whole context.</summary>
    public static KvRoom Unbounded { get; } = new(new(long.MaxValue / 2, long.MaxValue / 2), HasWhole: true, Chunk: null);

    /// <param name="shape">The model.</param>
    /// <param name="positions">Positions that the plan reserves for a pipeline, over all its sequences.</param>
    /// <param name="sequences">Sequences that the plan expects to share them: each needs one chunk of the chunked layers.</param>
    public static KvRoom Of(ModelShape shape, int positions, int sequences)
    {
        var whole = shape.Layers.FirstOrDefault(l => l.Chunk is null);
        var chunked = shape.Layers.FirstOrDefault(l => l.Chunk is not null);
        return new(
            new(whole is null ? 0 : positions / BlockPositions, chunked is null ? 0 : ModelBytes.KvPositions(chunked, positions, sequences) / BlockPositions),
            whole is not null, chunked?.Chunk);
    }

    public static int BlocksOf(int positions) => (positions + BlockPositions - 1) / BlockPositions;

    /// <summary>First block that a chunked layer still sees from <paramref name="position"/> on. A chunk may begin inside a block.</summary>
    public int FirstChunkedBlock(int position) => position / Chunk!.Value * Chunk.Value / BlockPositions;

    /// <summary>Most blocks that a sequence of that length takes, run in batches of at most so many of its rows.</summary>
    public KvCount Most(int positions, int batchRows)
    {
        var all = BlocksOf(positions);
        return new(HasWhole ? all : 0, Chunk is { } chunk ? Math.Min(all, (((long)chunk + batchRows + BlockPositions - 1) / BlockPositions) + 1) : 0);
    }
}
