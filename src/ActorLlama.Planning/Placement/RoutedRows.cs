using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Which part of the experts' rows each device computes, as routers choose: a stage calls replicas on its own node, else on its host, else any; among them evenly.</summary>
internal sealed class RoutedRows
{
    private readonly ImmutableArray<PlannedDevice> _devices;
    private readonly Dictionary<DeviceId, int> _indices;
    private readonly (NodeId Node, string Host, double Share)[] _callers;
    private readonly ImmutableArray<double> _rows;

    /// <param name="plan">Where the stages are.</param>
    /// <param name="devices">All devices.</param>
    /// <param name="rows">Rows of each shard.</param>
    public RoutedRows(PlacementPlan plan, ImmutableArray<PlannedDevice> devices, ImmutableArray<double> rows)
    {
        (_devices, _rows) = (devices, rows);
        _indices = devices.Select((d, i) => (d.Id, i)).ToDictionary(x => x.Id, x => x.i);
        var hosts = devices.GroupBy(d => d.Id.Node).ToDictionary(d => d.Key, d => d.First().Host);
        double layers = plan.Stages.Sum(s => s.Layers);
        _callers = [.. plan.Stages.GroupBy(s => s.Device.Node).Select(s => (s.Key, hosts.GetValueOrDefault(s.Key, ""), s.Sum(x => x.Layers) / layers))];
    }

    /// <summary>Rows of a shard.</summary>
    public double Of(int shard) => _rows[shard];

    /// <summary>Rows of each device, in their order, with these replicas.</summary>
    public double[] On(IReadOnlyList<ShardPlacement> shards)
    {
        var all = new double[_devices.Length];
        foreach (var replicas in shards.GroupBy(s => s.Shard))
        {
            int[] at = [.. replicas.Where(r => _indices.ContainsKey(r.Device)).Select(r => _indices[r.Device])];
            foreach (var (node, host, share) in _callers)
            {
                var called = Nearest(at, node, host);
                foreach (var device in called) all[device] += _rows[replicas.Key] * share / called.Length;
            }
        }

        return all;
    }

    private int[] Nearest(int[] at, NodeId node, string host)
    {
        int[] own = [.. at.Where(d => _devices[d].Id.Node == node)];
        if (own.Length > 0) return own;
        int[] near = [.. at.Where(d => _devices[d].Host == host)];
        return near.Length > 0 ? near : at;
    }
}
