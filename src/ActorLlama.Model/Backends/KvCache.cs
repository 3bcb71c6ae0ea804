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

    /// <summary>Bytes held now, by others too or not.</summary>
    public abstract long Bytes { get; }

    /// <summary>
    /// A cache that begins with the first <paramref name="positions"/> of this one, and shares their blocks: whole blocks, which nobody writes
    /// any more. Null when this one no longer holds all that a row from there on sees.
    /// </summary>
    public KvCache? TryFork(int positions)
    {
        if (positions < 0 || positions > Length || positions % BlockPositions != 0)
            throw new ArgumentOutOfRangeException(
                nameof(positions), $"KV cache: a beginning of {positions} positions was asked for; it must be whole blocks of {BlockPositions}, at most the {Length} that are held.");
        return Fork(positions);
    }

    protected abstract KvCache? Fork(int positions);

    public abstract void Dispose();
}
