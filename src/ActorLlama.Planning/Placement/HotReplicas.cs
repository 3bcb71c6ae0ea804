using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>
/// More replicas for expert shards that are busier than a device is on average, in memory that nothing else needs: those of the busiest device, as long as that relieves it. A replica beyond what is
/// asked for goes when its shard is busy no more.
/// </summary>
public static class HotReplicas
{
    /// <summary>The busiest device must compute less by this share, or it is not worth the bytes.</summary>
    private const double WorthLoading = 0.05;

    /// <summary>A replica goes when without it the devices of its shard would be less busy than this share of the busiest.</summary>
    private const double Cold = 0.8;

    /// <summary>Fewer rows say nothing.</summary>
    private const double FewestRows = 1000;

    /// <summary>The plan with more and fewer replicas, of <paramref name="epoch"/>; <paramref name="target"/> itself where nothing is gained. Equal inputs give equal plans.</summary>
    /// <param name="current">The plan that serves: what it holds takes room until the new one takes over.</param>
    /// <param name="target">The plan that is wanted without.</param>
    /// <param name="devices">All devices.</param>
    /// <param name="rows">Rows that each shard has computed lately.</param>
    /// <param name="replicas">Of each shard there are as many at least as in <paramref name="target"/>, or so many.</param>
    /// <param name="most">And so many at most.</param>
    /// <param name="epoch">Of the plan, where it differs.</param>
    public static PlacementPlan Of(
        PlacementPlan current, PlacementPlan target, ImmutableArray<PlannedDevice> devices, ImmutableArray<double> rows, int replicas, int most, long epoch)
    {
        if (target.ExpertShards == 0 || rows.Sum() < FewestRows) return target;
        var ordered = devices.Where(d => !d.IsLeaving).OrderBy(d => d.NodeName, StringComparer.Ordinal).ThenBy(d => d.Id.ToString(), StringComparer.Ordinal).ToImmutableArray();
        if (ordered.IsEmpty) return target;
        var both = current with { Stages = [.. current.Stages.Union(target.Stages)] };
        var routed = new RoutedRows(target, ordered, rows);
        var shards = target.Shards.ToList();
        while (Coldest(shards, ordered, routed, replicas) is { } cold) shards.Remove(cold);
        while (Hottest(both, shards, ordered, routed, most, epoch) is { } hot) shards.Add(hot);
        return shards.ToHashSet().SetEquals(target.Shards)
            ? target
            : target with { Epoch = epoch, Shards = [.. shards.OrderBy(s => s.Shard).ThenBy(s => s.Replica)] };
    }

    /// <summary>The share of all rows that the busiest device computes; 0 where there are too few to tell.</summary>
    public static double Busiest(PlacementPlan plan, ImmutableArray<PlannedDevice> devices, ImmutableArray<double> rows) =>
        plan.ExpertShards == 0 || rows.Sum() < FewestRows ? 0 : new RoutedRows(plan, devices, rows).On(plan.Shards).Max() / rows.Sum();

    /// <summary>The target, with those replicas that serve beyond what it asks for and still have room: a new plan for another reason does not cost them.</summary>
    public static PlacementPlan Kept(PlacementPlan serving, PlacementPlan target, ImmutableArray<PlannedDevice> devices, int most)
    {
        if (serving.ExpertShards != target.ExpertShards) return target;
        var shards = target.Shards.ToList();
        foreach (var held in serving.Shards.Where(s => !target.Shards.Any(t => (t.Shard, t.Replica) == (s.Shard, s.Replica))))
            if (devices.FirstOrDefault(d => d.Id == held.Device) is { Experts: true, IsLeaving: false } device
                && shards.Count(s => s.Shard == held.Shard) < most
                && target.Shards.Any(t => Pins.Same(t with { Replica = held.Replica }, held))
                && !shards.Any(s => s.Shard == held.Shard && s.Device == held.Device)
                && Bytes(target, shards, device.Id) + held.WeightBytes <= device.MemoryBytes)
                shards.Add(held);
        return shards.Count == target.Shards.Length ? target : target with { Shards = [.. shards.OrderBy(s => s.Shard).ThenBy(s => s.Replica)] };
    }

    /// <summary>A replica beyond those asked for that nobody would miss.</summary>
    private static ShardPlacement? Coldest(List<ShardPlacement> shards, ImmutableArray<PlannedDevice> devices, RoutedRows routed, int replicas)
    {
        var busiest = routed.On(shards).Max();
        foreach (var spare in shards.GroupBy(s => s.Shard).Where(s => s.Count() > replicas).SelectMany(s => s.OrderByDescending(r => r.Replica)))
        {
            ShardPlacement[] without = [.. shards.Where(s => s != spare)];
            var rows = routed.On(without);
            var left = without.Where(s => s.Shard == spare.Shard).Select(s => devices.Select((d, i) => (d, i)).FirstOrDefault(d => d.d.Id == s.Device)).Where(d => d.d is not null).ToArray();
            if (left.Length >= replicas && left.All(d => rows[d.i] < busiest * Cold) && Apart(left.Select(d => d.d)) >= Math.Min(replicas, Apart(devices, shards, spare.Shard))) return spare;
        }

        return null;
    }

    private static int Apart(IEnumerable<PlannedDevice> devices) => devices.Select(d => d.Host).Distinct().Count();

    private static int Apart(ImmutableArray<PlannedDevice> devices, List<ShardPlacement> shards, int shard) =>
        Apart(devices.Where(d => shards.Any(s => s.Shard == shard && s.Device == d.Id)));

    /// <summary>One more replica of a shard that keeps the busiest device busier than all are on average, where it relieves that most; of equal ones farthest from the others, then of the fewest bytes.</summary>
    private static ShardPlacement? Hottest(
        PlacementPlan current, List<ShardPlacement> shards, ImmutableArray<PlannedDevice> devices, RoutedRows routed, int most, long epoch)
    {
        var before = routed.On(shards);
        var busiest = Array.IndexOf(before, before.Max());
        var average = before.Sum() / Math.Max(1, devices.Count(d => d.Experts));
        (double Rows, int Near, long Bytes, ShardPlacement Shard)? best = null;
        foreach (var replicas in shards.GroupBy(s => s.Shard).Where(r => r.Count() < most && routed.Of(r.Key) > average * r.Count() && r.Any(s => s.Device == devices[busiest].Id)))
            for (var to = 0; to < devices.Length; to++)
            {
                var device = devices[to];
                var shard = replicas.First() with { Device = device.Id, Replica = FreeNumber(current, shards, replicas.Key), Epoch = epoch };
                if (!device.Experts || Holds(current, shards, shard) || Bytes(current, shards, device.Id) + shard.WeightBytes > device.MemoryBytes) continue;
                var after = routed.On([.. shards, shard]);
                var rows = Math.Max(after[busiest], after[to]);
                var near = replicas.Count(r => devices.Any(d => d.Id == r.Device && d.Host == device.Host));
                if (rows <= before[busiest] * (1 - WorthLoading) && (best is not { } known || (rows, near, shard.WeightBytes).CompareTo((known.Rows, known.Near, known.Bytes)) < 0))
                    best = (rows, near, shard.WeightBytes, shard);
            }

        return best?.Shard;
    }

    private static bool Holds(PlacementPlan current, List<ShardPlacement> shards, ShardPlacement shard) =>
        current.Shards.Concat(shards).Any(s => s.Shard == shard.Shard && s.Device == shard.Device);

    private static int FreeNumber(PlacementPlan current, List<ShardPlacement> shards, int shard) =>
        Enumerable.Range(0, int.MaxValue).First(number => !current.Shards.Concat(shards).Any(s => (s.Shard, s.Replica) == (shard, number)));

    /// <summary>What the device holds until the plan takes over, and what comes.</summary>
    private static long Bytes(PlacementPlan plan, List<ShardPlacement> shards, DeviceId device) =>
        plan.Stages.Concat(plan.Incoming).Where(s => s.Device == device).Sum(s => s.WeightBytes + s.KvBytes)
        + plan.Shards.Concat(shards).Distinct().Where(s => s.Device == device).Sum(s => s.WeightBytes);
}
