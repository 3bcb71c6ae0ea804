using System.Buffers;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// The ids that temperature, top-k and top-p leave, with their weights exp((logit - max) / T). With top-k or top-p on, ids stand by
/// (logit descending, id ascending) and the nucleus is cumulated in that order; with both off they stand by id.
/// </summary>
internal sealed class Nucleus : IDisposable
{
    // Ordered by their upper 16 bits, float32 logits fall into so many buckets.
    private const int Buckets = 1 << 16, SortedWhole = 4096;

    private readonly ulong[]? _keys;
    private readonly float[] _weights;
    private readonly int _count;
    private readonly double _mass;

    public Nucleus(ReadOnlySpan<float> logits, float max, SamplingSettings settings)
    {
        _weights = ArrayPool<float>.Shared.Rent(logits.Length);
        _count = logits.Length;
        var isTopK = settings.TopK > 0 && settings.TopK < logits.Length;
        if (!isTopK)
        {
            _mass = Weigh(logits, max, settings.Temperature);
            if (settings.TopP == 1) return;
        }
        _keys = ArrayPool<ulong>.Shared.Rent(logits.Length);
        _count = isTopK ? KeepLargest(_keys, logits, settings.TopK) : KeepLikely(_keys, logits, settings.TopP);
        var kept = Weigh(logits, max, settings.Temperature);
        if (isTopK) _mass = kept;
        if (settings.TopP < 1) (_count, _mass) = CutAt(settings.TopP * _mass);
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
        return Id(last);
    }

    /// <summary>Writes the probability of each id that is left.</summary>
    public void CopyTo(Span<float> probabilities)
    {
        for (var i = 0; i < _count; i++) probabilities[Id(i)] = (float)(_weights[i] / _mass);
    }

    public void Dispose()
    {
        if (_keys is not null) ArrayPool<ulong>.Shared.Return(_keys);
        ArrayPool<float>.Shared.Return(_weights);
    }

    private int Id(int place) => _keys is null ? place : (int)(uint)_keys[place];

    /// <summary>The weights of the ids that stand now, and their sum.</summary>
    private double Weigh(ReadOnlySpan<float> logits, float max, double temperature)
    {
        var weights = _weights.AsSpan(0, _count);
        for (var i = 0; i < weights.Length; i++) weights[i] = (float)((double)(logits[Id(i)] - max) / temperature);
        Exponential.Of(weights, weights);
        double sum = 0;
        foreach (var weight in weights) sum += weight;
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

    /// <summary>The keys that the nucleus may need, in order: all others together weigh at most half of what it leaves out.</summary>
    private int KeepLikely(ulong[] keys, ReadOnlySpan<float> logits, double topP)
    {
        var least = (1 - topP) * _mass / (2.0 * logits.Length);
        var found = 0;
        for (var id = 0; id < logits.Length; id++)
            if (_weights[id] >= least) keys[found++] = Key(logits[id], id);
        keys.AsSpan(0, found).Sort();
        return found;
    }

    /// <summary>The keys of the k greatest logits, in order.</summary>
    private static int KeepLargest(ulong[] keys, ReadOnlySpan<float> logits, int k)
    {
        for (var id = 0; id < logits.Length; id++) keys[id] = Key(logits[id], id);
        var all = keys.AsSpan(0, logits.Length);
        var last = all.Length <= SortedWhole ? Buckets : BucketOf(k, all);
        // Only buckets up to the one that holds the k-th key need sorting.
        var found = 0;
        foreach (var key in all)
            if ((int)(key >> 48) <= last) all[found++] = key;
        all[..found].Sort();
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

    /// <summary>Ascending keys are descending logits, and ascending ids where logits are equal.</summary>
    private static ulong Key(float logit, int id)
    {
        // + 0 makes -0 and 0 one value, as they compare.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return ((ulong)~ascending << 32) | (uint)id;
    }
}
