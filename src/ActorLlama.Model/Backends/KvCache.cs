namespace ActorLlama.Model;

/// <summary>
/// Keys and values of one sequence for the layers of one stage, in blocks of 64 positions. A write at a position that is already
/// held replaces it, so a batch may be run twice. RoPE layers hold no block that lies wholly before the chunk of the last batch's start.
/// </summary>
public abstract class KvCache : IDisposable
{
    public const int BlockPositions = 64;

    /// <summary>Positions written so far; rows may start anywhere from the last batch's start up to here.</summary>
    public abstract int Length { get; }

    /// <summary>Bytes held now.</summary>
    public abstract long Bytes { get; }

    public abstract void Dispose();
}
