using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>How a packing chooses among the devices that a unit fits on.</summary>
internal enum PackingStyle
{
    /// <summary>Nobody stays empty, replicas apart, load in proportion to memory.</summary>
    Spread = 0,

    /// <summary>As <see cref="Spread"/>, but stages go where the least room is left over.</summary>
    TightStages = 1,

    /// <summary>Every unit goes where most room is left.</summary>
    Roomiest = 2,

    /// <summary>As <see cref="Spread"/>, beyond the devices' memory: what each device would need.</summary>
    Overflowing = 3,
}

/// <summary>One attempt to put units on devices; devices are in a fixed order, so equal inputs give equal plans.</summary>
internal sealed class Packing
{
    private readonly ImmutableArray<PlannedDevice> _devices;
    private readonly PackingStyle _style;
    private readonly long[] _used;
    private readonly int[] _stages;
    private readonly Dictionary<NodeId, int> _unitsOfNode = [];
    private readonly Dictionary<int, List<int>> _devicesOfShard = [];

    private Packing(ImmutableArray<PlannedDevice> devices, PackingStyle style)
    {
        _devices = devices;
        _style = style;
        _used = new long[devices.Length];
        _stages = new int[devices.Length];
    }

    /// <summary>The device index of every stage and shard replica, or null when something fits nowhere.</summary>
    public static (int[] Stages, int[] Shards)? TryPack(
        ImmutableArray<PlannedDevice> devices, Units units, Pins pins, PackingStyle style) =>
        new Packing(devices, style).Run(units, pins);

    private (int[] Stages, int[] Shards)? Run(Units units, Pins pins)
    {
        var stages = new int[units.Stages.Length];
        var shards = new int[units.Shards.Length];
        Array.Fill(stages, -1);
        Array.Fill(shards, -1);
        for (var i = 0; i < stages.Length; i++)
            if (pins.Stages[i] is { } pinned && CanHold(pinned, units.Stages[i])) Put(pinned, units.Stages[i], stages, i);
        for (var i = 0; i < shards.Length; i++)
            if (pins.Shards[i] is { } pinned && CanHold(pinned, units.Shards[i])) Put(pinned, units.Shards[i], shards, i);
        for (var i = 0; i < stages.Length; i++)
        {
            if (stages[i] >= 0) continue;
            if (Best(d => CanHold(d, units.Stages[i]), d => StageOrder(d, Bytes(units.Stages[i]))) is not { } chosen) return null;
            Put(chosen, units.Stages[i], stages, i);
        }

        for (var i = 0; i < shards.Length; i++)
        {
            if (shards[i] >= 0) continue;
            if (Best(d => CanHold(d, units.Shards[i]), d => ShardOrder(d, units.Shards[i])) is not { } chosen) return null;
            Put(chosen, units.Shards[i], shards, i);
        }

        return (stages, shards);
    }

    private static long Bytes(StagePlacement stage) => stage.WeightBytes + stage.KvBytes;

    private bool CanHold(int device, StagePlacement stage) => _devices[device].Trunk && HasRoom(device, Bytes(stage));

    private bool CanHold(int device, ShardPlacement shard) =>
        _devices[device].Experts && HasRoom(device, shard.WeightBytes) && !DevicesOf(shard.Shard).Contains(device);

    private bool HasRoom(int device, long bytes) =>
        _style == PackingStyle.Overflowing || bytes <= _devices[device].MemoryBytes - _used[device];

    private int? Best(Func<int, bool> canHold, Func<int, (int, int, int, double)> order)
    {
        (int Device, (int, int, int, double) Order)? best = null;
        for (var device = 0; device < _devices.Length; device++)
        {
            if (!canHold(device)) continue;
            var key = order(device);
            if (best is null || key.CompareTo(best.Value.Order) < 0) best = (device, key);
        }

        return best?.Device;
    }

    // Stages apart from each other, on nodes that have nothing, and on devices that cannot help with experts.
    private (int, int, int, double) StageOrder(int device, long bytes) => _style switch
    {
        PackingStyle.Roomiest => (0, 0, 0, -RoomAfter(device, bytes)),
        PackingStyle.TightStages => (0, 0, 0, RoomAfter(device, bytes)),
        _ => (_stages[device], Occupied(device), _devices[device].Experts ? 1 : 0, LoadAfter(device, bytes)),
    };

    // Replicas on other hosts, then on other nodes; nodes that have nothing first.
    private (int, int, int, double) ShardOrder(int device, ShardPlacement shard)
    {
        if (_style == PackingStyle.Roomiest) return (0, 0, 0, -RoomAfter(device, shard.WeightBytes));
        var here = _devices[device];
        int sameHost = 0, sameNode = 0;
        foreach (var other in DevicesOf(shard.Shard))
        {
            if (_devices[other].Host == here.Host) sameHost++;
            if (_devices[other].Id.Node == here.Id.Node) sameNode++;
        }

        return (sameHost, sameNode, Occupied(device), LoadAfter(device, shard.WeightBytes));
    }

    private int Occupied(int device) => _unitsOfNode.GetValueOrDefault(_devices[device].Id.Node) > 0 ? 1 : 0;

    private double RoomAfter(int device, long bytes) => _devices[device].MemoryBytes - _used[device] - bytes;

    private double LoadAfter(int device, long bytes) => (_used[device] + bytes) / (double)Math.Max(1, _devices[device].MemoryBytes);

    private List<int> DevicesOf(int shard) => _devicesOfShard.TryGetValue(shard, out var list) ? list : _devicesOfShard[shard] = [];

    private void Put(int device, StagePlacement stage, int[] chosen, int index)
    {
        _stages[device]++;
        Put(device, Bytes(stage), chosen, index);
    }

    private void Put(int device, ShardPlacement shard, int[] chosen, int index)
    {
        DevicesOf(shard.Shard).Add(device);
        Put(device, shard.WeightBytes, chosen, index);
    }

    private void Put(int device, long bytes, int[] chosen, int index)
    {
        var node = _devices[device].Id.Node;
        _used[device] += bytes;
        _unitsOfNode[node] = _unitsOfNode.GetValueOrDefault(node) + 1;
        chosen[index] = device;
    }
}
