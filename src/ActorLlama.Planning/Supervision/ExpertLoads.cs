using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// Rows that each expert has computed lately, over all layers and replicas, from the counters in nodes' offers. A row counts ever less the longer ago it was: after the memory's time
/// by the factor e.
/// </summary>
public sealed record ExpertLoads
{
    private ImmutableDictionary<(NodeId Node, ShardPlacement Placement), ImmutableArray<long>> _seen = ImmutableDictionary<(NodeId, ShardPlacement), ImmutableArray<long>>.Empty;
    private ImmutableDictionary<int, double> _rows = ImmutableDictionary<int, double>.Empty;
    private long _atMs;

    private ExpertLoads()
    {
    }

    /// <summary>Nothing was measured yet.</summary>
    public static ExpertLoads None { get; } = new();

    /// <summary>Rows of all experts that count now.</summary>
    public double Total => _rows.Values.Sum();

    /// <summary>Rows of an expert that count now.</summary>
    public double Of(int expert) => _rows.GetValueOrDefault(expert);

    /// <summary>Rows of a shard's experts that count now.</summary>
    public double Of(ShardPlacement shard) => Enumerable.Range(shard.FirstExpert, shard.Experts).Sum(Of);

    /// <summary>
    /// With what the node's replicas have computed since its last offer. What a replica had computed when it was first heard of, or after it began anew, may be of any time and does not
    /// count.
    /// </summary>
    public ExpertLoads With(NodeProtocol.Offer offer, long nowMs, long memoryMs)
    {
        var kept = Math.Exp(-Math.Max(0, nowMs - _atMs) / (double)memoryMs);
        var rows = _rows.ToDictionary(r => r.Key, r => r.Value * kept);
        var seen = _seen.ToBuilder();
        foreach (var gone in _seen.Keys.Where(k => k.Node == offer.Node && !offer.Shards.Any(s => s.Placement == k.Placement))) seen.Remove(gone);
        foreach (var held in offer.Shards)
        {
            var computed = ByExpert(held, offer.ExpertRows);
            var key = (offer.Node, held.Placement);
            if (seen.TryGetValue(key, out var before) && before.Zip(computed).All(c => c.First <= c.Second))
                for (var e = 0; e < computed.Length; e++)
                    rows[held.Placement.FirstExpert + e] = rows.GetValueOrDefault(held.Placement.FirstExpert + e) + computed[e] - before[e];
            seen[key] = computed;
        }

        return new() { _seen = seen.ToImmutable(), _rows = rows.ToImmutableDictionary(), _atMs = nowMs };
    }

    /// <summary>Without the counters of a node that is gone; what it computed still counts.</summary>
    public ExpertLoads Without(NodeId node) => this with { _seen = _seen.RemoveRange(_seen.Keys.Where(k => k.Node == node)) };

    /// <summary>Rows of each expert of a replica over all layers; evenly shared where it does not tell which computed them.</summary>
    private static ImmutableArray<long> ByExpert(NodeProtocol.HeldShard held, ImmutableArray<NodeProtocol.ExpertRows> counters)
    {
        var experts = held.Placement.Experts;
        var counted = counters.FirstOrDefault(c => (c.Shard, c.Replica) == (held.Placement.Shard, held.Placement.Replica))?.Rows ?? [];
        if (counted.IsEmpty) return [.. Enumerable.Repeat(held.RowsComputed / Math.Max(1, experts), experts)];
        var sums = new long[experts];
        for (var i = 0; i < counted.Length; i++) sums[i % experts] += counted[i];
        return [.. sums];
    }
}
