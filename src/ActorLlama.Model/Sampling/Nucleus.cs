using System.Buffers;
using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>
/// The ids that top-k and top-p leave, with their weights exp((logit - max) / T). With top-k or top-p on, ids stand by (logit descending,
/// id ascending) and the nucleus is cumulated in that order; with both off they stand by id.
/// </summary>
internal sealed class Nucleus : IDisposable
{
    // Ordered by their upper 16 bits, float32 logits fall into so many buckets.
    private const int Buckets = 1 << 16, SortedWhole = 4096;

    // Running sums are kept at the end of each so many ids, to look for a sum without adding all of it again.
    private const int Block = 256;

    private readonly ulong[]? _keys;
    private readonly float[] _weights;
    private readonly double[] _sums;
    private readonly int _count;
    private readonly double _mass;

    public Nucleus(ReadOnlySpan<float> logits, float max, SamplingSettings settings)
    {
        _weights = ArrayPool<float>.Shared.Rent(logits.Length);
        _sums = ArrayPool<double>.Shared.Rent((logits.Length + Block - 1) / Block);
        _count = logits.Length;
        var isTopK = settings.TopK > 0 && settings.TopK < logits.Length;
        if (!isTopK && settings.TopP == 1)
        {
            _mass = Weigh(logits, max, settings.Temperature);
            return;
        }
        var temperature = settings.Nucleus == NucleusRule.Tempered ? settings.Temperature : 1;
        var all = isTopK ? 0 : Weigh(logits, max, temperature);
        var keys = ArrayPool<ulong>.Shared.Rent(logits.Length);
        _count = isTopK ? KeepLargest(keys, logits, settings.TopK) : KeepLikely(keys, logits, max, temperature, settings.TopP * all);
        _keys = keys;
        if (settings.TopP < 1)
        {
            var kept = Weigh(logits, max, temperature);
            _count = CutAt(settings.TopP * (isTopK ? kept : all), settings.Nucleus);
        }
        _mass = Weigh(logits, max, settings.Temperature);
    }

    /// <summary>The id at which the running sum passes <paramref name="uniform"/> (in [0, 1)) of the whole.</summary>
    public int Invert(double uniform)
    {
        var target = uniform * _mass;
        var block = 0;
        while ((block + 1) * Block < _count && _sums[block] <= target) block++;
        var sum = block == 0 ? 0 : _sums[block - 1];
        for (var i = block * Block; i < _count; i++)
        {
            sum += _weights[i];
            if (sum > target) return Id(i);
        }
        // The sum never passes the whole: the last id that has a weight.
        return Id(Array.FindLastIndex(_weights, _count - 1, _count, weight => weight != 0));
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
        ArrayPool<double>.Shared.Return(_sums);
    }

    private int Id(int place) => _keys is null ? place : (int)(uint)_keys[place];

    /// <summary>The weights of the ids that stand now, their running sums, and the whole.</summary>
    private double Weigh(ReadOnlySpan<float> logits, float max, double temperature)
    {
        var weights = _weights.AsSpan(0, _count);
        // A division by one changes nothing, and costs more than the exponential.
        if (temperature == 1)
            for (var i = 0; i < weights.Length; i++) weights[i] = logits[Id(i)] - max;
        else
            for (var i = 0; i < weights.Length; i++) weights[i] = (float)((double)(logits[Id(i)] - max) / temperature);
        Exponential.Of(weights, weights);
        double sum = 0;
        for (var start = 0; start < weights.Length; start += Block)
        {
            foreach (var weight in weights[start..Math.Min(weights.Length, start + Block)]) sum += weight;
            _sums[start / Block] = sum;
        }
        return sum;
    }

    /// <summary>
    /// How many ids are left when each goes before which more than <paramref name="wanted"/> has been summed: the one that crosses stays
    /// (spec 8.2). An untempered nucleus ends where the sum reaches it (spec 8.1).
    /// </summary>
    private int CutAt(double wanted, NucleusRule rule)
    {
        double sum = 0;
        var end = 0;
        while (end < _count && (end == 0 || sum < wanted || (sum == wanted && rule == NucleusRule.Tempered))) sum += _weights[end++];
        if (rule == NucleusRule.UntemperedWithTies)
            while (end < _count && Rank(_keys![end]) == Rank(_keys[end - 1])) end++;
        return end;
    }

    /// <summary>
    /// The keys of all logits above a floor that lets in more than <paramref name="wanted"/>, in order: no others can enter the nucleus. So
    /// only what is near its size is sorted. The sum is by id and the nucleus's own by rank: the margin covers their rounding.
    /// </summary>
    private int KeepLikely(ulong[] keys, ReadOnlySpan<float> logits, float max, double temperature, double wanted)
    {
        var floor = float.NegativeInfinity;
        for (var depth = 4; depth <= 64; depth *= 2)
        {
            var tried = (float)(max - (depth * temperature));
            double sum = 0;
            for (var id = 0; id < logits.Length; id++)
                if (logits[id] >= tried) sum += _weights[id];
            if (sum <= wanted * (1 + 1e-9)) continue;
            floor = tried;
            break;
        }
        var found = 0;
        for (var id = 0; id < logits.Length; id++)
            if (logits[id] >= floor) keys[found++] = Key(logits[id], id);
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

    private static uint Rank(ulong key) => (uint)(key >> 32);

    /// <summary>Ascending keys are descending logits, and ascending ids where logits are equal.</summary>
    private static ulong Key(float logit, int id)
    {
        // + 0 makes -0 and 0 one value, as they compare.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return ((ulong)~ascending << 32) | (uint)id;
    }
}
