using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>
/// Moves parts of a plan from the fullest devices to emptier ones, as a node that joined. A part moves whole, once, and only where both have room for it meanwhile; parts
/// are not divided anew. One that helps too little stays.
/// </summary>
public sealed class Levelling
{
    /// <summary>The fuller of the two devices must come down by this share of what it holds, or nothing moves.</summary>
    private const double WorthMoving = 0.05;

    private readonly PlacementPlan _plan;
    private readonly long _epoch;
    private readonly ImmutableArray<PlannedDevice> _devices;
    private readonly StagePlacement[] _stages;
    private readonly ShardPlacement[] _shards;
    private readonly HashSet<(int Pipeline, int Index)> _movedStages = [];
    private readonly HashSet<int> _movedShards = [];

    private Levelling(PlacementPlan plan, ImmutableArray<PlannedDevice> devices, long epoch) =>
        (_plan, _devices, _epoch, _stages, _shards) = (plan, devices, epoch, [.. plan.Stages], [.. plan.Shards]);

    /// <summary>The plan to come, of <paramref name="epoch"/>; <paramref name="plan"/> itself where nothing is worth moving. Equal inputs give equal plans.</summary>
    public static PlacementPlan Of(PlacementPlan plan, ImmutableArray<PlannedDevice> devices, long epoch)
    {
        var levelling = new Levelling(plan, [.. devices.Where(d => !d.IsLeaving).OrderBy(d => d.NodeName, StringComparer.Ordinal).ThenBy(d => d.Id.ToString(), StringComparer.Ordinal)], epoch);
        return levelling.Run();
    }

    /// <summary>What the plan has on a device: weights, and KV that is reserved.</summary>
    public static long BytesOn(PlacementPlan plan, DeviceId device) => Bytes(plan.Stages, plan.Shards, device);

    private PlacementPlan Run()
    {
        while (_devices.OrderByDescending(Load).Select(BestFrom).FirstOrDefault(move => move is not null) is { } move) move();
        if (_movedStages.Count == 0 && _movedShards.Count == 0) return _plan;
        var changed = _movedStages.Select(s => s.Pipeline).ToHashSet();
        return _plan with
        {
            Epoch = _epoch,
            Stages = [.. _stages],
            Shards = [.. _shards.OrderBy(s => s.Shard).ThenBy(s => s.Replica)],
            PipelineEpochs = [.. _plan.PipelineEpochs.Select((epoch, p) => changed.Contains(p) ? _epoch : epoch)],
        };
    }

    /// <summary>The move from that device that leaves the fuller of both the least full; of equal ones that of the fewest bytes.</summary>
    private Action? BestFrom(PlannedDevice from)
    {
        (double Fuller, long Bytes, Action Move)? best = null;
        for (var i = 0; i < _stages.Length; i++)
        {
            var (at, stage) = (i, _stages[i]);
            if (stage.Device != from.Id || _movedStages.Contains((stage.Pipeline, stage.Index))) continue;
            foreach (var to in _devices.Where(d => d.Trunk && !HoldsBefore(d, stage)))
                Consider(to, stage.WeightBytes + stage.KvBytes, () =>
                {
                    _stages[at] = stage with { Device = to.Id };
                    _movedStages.Add((stage.Pipeline, stage.Index));
                });
        }

        for (var i = 0; i < _shards.Length; i++)
        {
            var (at, shard) = (i, _shards[i]);
            if (shard.Device != from.Id || _movedShards.Contains(at)) continue;
            foreach (var to in _devices.Where(d => d.Experts && MayHold(d, from, at)))
                Consider(to, shard.WeightBytes, () =>
                {
                    _shards[at] = shard with { Device = to.Id, Replica = FreeNumber(shard.Shard), Epoch = _epoch };
                    _movedShards.Add(at);
                });
        }

        return best?.Move;

        void Consider(PlannedDevice to, long bytes, Action move)
        {
            if (to.Id == from.Id || HeldMeanwhile(to.Id) + bytes > to.MemoryBytes) return;
            var fuller = Math.Max(Share(Bytes(_stages, _shards, from.Id) - bytes, from.MemoryBytes), Share(Bytes(_stages, _shards, to.Id) + bytes, to.MemoryBytes));
            if (fuller > Load(from) * (1 - WorthMoving) || (best is { } known && (known.Fuller, known.Bytes).CompareTo((fuller, bytes)) <= 0)) return;
            best = (fuller, bytes, move);
        }
    }

    private double Load(PlannedDevice device) => Share(Bytes(_stages, _shards, device.Id), device.MemoryBytes);

    /// <summary>A node holds a stage of a pipeline once.</summary>
    private bool HoldsBefore(PlannedDevice device, StagePlacement stage) =>
        _plan.Stages.Any(s => (s.Pipeline, s.Index) == (stage.Pipeline, stage.Index) && s.Device.Node == device.Id.Node);

    /// <summary>No other replica is there, before or after, and replicas are as far apart as they were.</summary>
    private bool MayHold(PlannedDevice to, PlannedDevice from, int moving)
    {
        var shard = _shards[moving].Shard;
        if (_plan.Shards.Any(s => s.Shard == shard && s.Device == to.Id)) return false;
        var others = _shards.Where((s, i) => i != moving && s.Shard == shard).Select(s => _devices.FirstOrDefault(d => d.Id == s.Device)).OfType<PlannedDevice>().ToArray();
        return others.All(d => d.Id != to.Id)
            && others.Count(d => d.Host == to.Host) <= others.Count(d => d.Host == from.Host)
            && others.Count(d => d.Id.Node == to.Id.Node) <= others.Count(d => d.Id.Node == from.Id.Node);
    }

    private int FreeNumber(int shard) =>
        Enumerable.Range(0, int.MaxValue).First(number => !_plan.Shards.Concat(_shards).Any(s => (s.Shard, s.Replica) == (shard, number)));

    /// <summary>What it holds until the plan takes over, and what comes.</summary>
    private long HeldMeanwhile(DeviceId device) =>
        Bytes(_plan.Stages, _plan.Shards, device)
        + Bytes(_stages.Where(s => _movedStages.Contains((s.Pipeline, s.Index))), _shards.Where((_, i) => _movedShards.Contains(i)), device);

    private static long Bytes(IEnumerable<StagePlacement> stages, IEnumerable<ShardPlacement> shards, DeviceId device) =>
        stages.Where(s => s.Device == device).Sum(s => s.WeightBytes + s.KvBytes) + shards.Where(s => s.Device == device).Sum(s => s.WeightBytes);

    private static double Share(long bytes, long memoryBytes) => bytes / (double)Math.Max(1, memoryBytes);
}
