using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Experts;

/// <summary>
/// Rows that a replica of an expert shard has computed, in all and by MoE layer and expert. Written on its device's thread, read by its node:
/// each number is whole, together they may be a moment apart.
/// </summary>
internal sealed class WorkCounter
{
    private readonly int[] _moeOfLayer;
    private readonly int _first;
    private readonly int _experts;
    private readonly long[] _byExpert;
    private long _rows;

    /// <param name="isMoe">Per layer of the model.</param>
    /// <param name="first">First expert of the shard.</param>
    /// <param name="experts">Experts of the shard.</param>
    public WorkCounter(IReadOnlyList<bool> isMoe, int first, int experts)
    {
        (_first, _experts) = (first, experts);
        _moeOfLayer = new int[isMoe.Count];
        var layers = 0;
        for (var layer = 0; layer < isMoe.Count; layer++)
        {
            _moeOfLayer[layer] = layers;
            if (isMoe[layer]) layers++;
        }

        _byExpert = (long)layers * experts <= NodeProtocol.MaxExpertCounters ? new long[layers * experts] : [];
    }

    /// <summary>A replica that never computed.</summary>
    public static WorkCounter None { get; } = new([], 0, 0);

    public long Rows => Volatile.Read(ref _rows);

    /// <summary>As in <see cref="NodeProtocol.ExpertRows"/>.</summary>
    public ImmutableArray<long> ByExpert()
    {
        var rows = new long[_byExpert.Length];
        for (var i = 0; i < rows.Length; i++) rows[i] = Volatile.Read(ref _byExpert[i]);
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(rows);
    }

    /// <param name="layer">Layer of the model.</param>
    /// <param name="experts">Expert of each row, one of the shard's.</param>
    public void Add(int layer, ReadOnlySpan<int> experts)
    {
        Volatile.Write(ref _rows, _rows + experts.Length);
        if (_byExpert.Length == 0) return;
        var counters = _byExpert.AsSpan(_moeOfLayer[layer] * _experts, _experts);
        foreach (var expert in experts) Volatile.Write(ref counters[expert - _first], counters[expert - _first] + 1);
    }
}
