using System.Buffers;

namespace ActorLlama.Model;

/// <summary>
/// The ids that temperature, top-k and top-p leave, with their weights exp((logit - max) / T). With top-k or top-p on, ids stand by
/// (logit descending, id ascending) and the nucleus is cumulated in that order; with both off they stand by id.
/// </summary>
internal sealed class Nucleus : IDisposable
{
    // Ordered by their upper 16 bits, float32 logits fall into so many buckets.
    private const int Buckets = 1 << 16, SortedWhole = 4096;

    private readonly ulong[] _keys;
    private readonly float[] _weights;
    private readonly int _count;
    private readonly double _mass;

    public Nucleus(ReadOnlySpan<float> logits, float max, SamplingSettings settings)
    {
        _keys = ArrayPool<ulong>.Shared.Rent(logits.Length);
        _weights = ArrayPool<float>.Shared.Rent(logits.Length);
        for (var id = 0; id < logits.Length; id++) _keys[id] = Key(logits[id], id);
        _count = logits.Length;
        var isTopK = settings.TopK > 0 && settings.TopK < logits.Length;
        if (isTopK) _count = KeepLargest(settings.TopK);
        _mass = Weigh(logits, max, settings.Temperature);
        if (settings.TopP == 1) return;
        if (!isTopK)
        {
            _count = KeepLikely(settings.TopP, _mass);
            Weigh(logits, max, settings.Temperature);
        }
        (_count, _mass) = CutAt(settings.TopP * _mass);
    }

    /// <summary>The id at which the running sum passes <paramref name="uniform"/> (in [0, 1)) of the whole.</summary>
    public int Invert(double uniform)
    {
        var target = uniform * _mass;
        double sum = 0;
        var last = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_weights[i] == 0) continue;
            sum += _weights[i];
            last = i;
            if (sum > target) break;
        }
        return Id(_keys[last]);
    }

    /// <summary>Writes the probability of each id that is left.</summary>
    public void CopyTo(Span<float> probabilities)
    {
        for (var i = 0; i < _count; i++) probabilities[Id(_keys[i])] = (float)(_weights[i] / _mass);
    }

    public void Dispose()
    {
        ArrayPool<ulong>.Shared.Return(_keys);
        ArrayPool<float>.Shared.Return(_weights);
    }

    /// <summary>Moves the k smallest keys to the front, in order.</summary>
    private int KeepLargest(int k)
    {
        var keys = _keys.AsSpan(0, _count);
        var last = _count <= SortedWhole ? Buckets : BucketOf(k, keys);
        // Only buckets up to the one that holds the k-th key need sorting.
        var found = 0;
        foreach (var key in keys)
            if ((int)(key >> 48) <= last) keys[found++] = key;
        keys[..found].Sort();
        return k;
    }

    /// <summary>The bucket in which the k-th smallest key lies.</summary>
    private static int BucketOf(int k, ReadOnlySpan<ulong> keys)
    {
        var sizes = ArrayPool<int>.Shared.Rent(Buckets);
        Array.Clear(sizes);
        foreach (var key in keys) sizes[key >> 48]++;
        int bucket = 0, reached = sizes[0];
        while (reached < k) reached += sizes[++bucket];
        ArrayPool<int>.Shared.Return(sizes);
        return bucket;
    }

    /// <summary>Moves the keys that the nucleus may need to the front, in order: the others together weigh at most half of what it leaves out.</summary>
    private int KeepLikely(double topP, double mass)
    {
        var least = (1 - topP) * mass / (2.0 * _count);
        var found = 0;
        for (var i = 0; i < _count; i++)
            if (_weights[i] >= least) _keys[found++] = _keys[i];
        _keys.AsSpan(0, found).Sort();
        return found;
    }

    private double Weigh(ReadOnlySpan<float> logits, float max, double temperature)
    {
        double sum = 0;
        for (var i = 0; i < _count; i++)
        {
            _weights[i] = SampleMath.Exp((float)((double)(logits[Id(_keys[i])] - max) / temperature));
            sum += _weights[i];
        }
        return sum;
    }

    /// <summary>Drops each id before which more than <paramref name="wanted"/> has been summed: the one that crosses stays (spec 8.2).</summary>
    private (int Count, double Mass) CutAt(double wanted)
    {
        double sum = 0;
        for (var i = 0; i < _count; i++)
        {
            if (sum > wanted) return (i, sum);
            sum += _weights[i];
        }
        return (_count, sum);
    }

    /// <summary>Ascending keys are descending logits, and ascending ids where logits are equal.</summary>
    private static ulong Key(float logit, int id)
    {
        // + 0 makes -0 and 0 one value, as they compare.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return ((ulong)~ascending << 32) | (uint)id;
    }

    private static int Id(ulong key) => (int)(uint)key;
}
