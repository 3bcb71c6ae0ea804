using System.Numerics;

namespace ActorLlama.Training.Data;

/// <summary>
/// An order of [0, n) that is a function of (seed, epoch) and takes no memory: a Feistel network over the next even number of bits, walked until it lands
/// below n. It is a bijection whatever its round function is.
/// </summary>
public readonly struct Shuffle
{
    private const int Rounds = 6;

    private readonly ulong _count, _key;
    private readonly int _halfBits;

    /// <param name="count">n, at least 1.</param>
    /// <param name="seed">Of the run.</param>
    /// <param name="epoch">From 0.</param>
    public Shuffle(long count, int seed, long epoch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _count = (ulong)count;
        _halfBits = Math.Max(1, (64 - BitOperations.LeadingZeroCount(_count - 1) + 1) / 2);
        _key = Mixed(Mixed((uint)seed) ^ (ulong)epoch);
    }

    /// <summary>What stands at a place of the order.</summary>
    /// <param name="index">Below n.</param>
    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, _count);
            var value = (ulong)index;
            do value = Crossed(value);
            while (value >= _count);
            return (long)value;
        }
    }

    private ulong Crossed(ulong value)
    {
        var mask = (1ul << _halfBits) - 1;
        var (left, right) = (value >> _halfBits, value & mask);
        for (var round = 0ul; round < Rounds; round++) (left, right) = (right, (left ^ Mixed(_key + (round << 40) + right)) & mask);
        return (left << _halfBits) | right;
    }

    /// <summary>The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) over the value and a constant.</summary>
    private static ulong Mixed(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
