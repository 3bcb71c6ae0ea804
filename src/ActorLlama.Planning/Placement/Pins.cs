using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>
/// Where the units of a division already are: per stage and per shard replica, in the order of <see cref="Units"/>, the index of the device
/// that holds it, or null.
/// </summary>
internal sealed record Pins(ImmutableArray<int?> Stages, ImmutableArray<int?> Shards)
{
    public static ImmutableArray<int?> OfStages(
        ImmutableArray<StagePlacement> stages, PlacementPlan previous, IReadOnlyDictionary<DeviceId, int> devices) =>
        [.. stages.Select(unit => previous.Stages.FirstOrDefault(held => Same(held, unit)) is { } found
            && devices.TryGetValue(found.Device, out var index) ? index : (int?)null)];

    public static ImmutableArray<int?> OfShards(
        ImmutableArray<ShardPlacement> shards, PlacementPlan previous, IReadOnlyDictionary<DeviceId, int> devices)
    {
        var held = previous.Shards.ToLookup(s => (s.Shard, s.Replica));
        return [.. shards.Select(unit => held[(unit.Shard, unit.Replica)].FirstOrDefault(h => Same(h, unit)) is { } found
            && devices.TryGetValue(found.Device, out var index) ? index : (int?)null)];
    }

    /// <summary>
    /// The shards' replicas under the numbers of those that devices hold, and then the lowest others: a replica that outlives another keeps its number, and so its place.
    /// One that leaves its device gets another number: both serve for a while.
    /// </summary>
    public static ImmutableArray<ShardPlacement> Numbered(
        ImmutableArray<ShardPlacement> shards, PlacementPlan previous, IReadOnlyCollection<PlannedDevice> devices)
    {
        var stay = devices.ToLookup(d => d.IsLeaving, d => d.Id);
        var held = previous.Shards.Where(h => stay[false].Contains(h.Device)).ToLookup(h => h.Shard);
        var leaving = previous.Shards.Where(h => stay[true].Contains(h.Device)).ToLookup(h => h.Shard, h => h.Replica);
        return [.. shards.GroupBy(s => s.Shard).SelectMany(replicas =>
        {
            var kept = held[replicas.Key].Where(h => Same(h, replicas.First() with { Replica = h.Replica })).Select(h => h.Replica).Order().Take(replicas.Count()).ToArray();
            var numbers = kept.Concat(Enumerable.Range(0, int.MaxValue).Except([.. kept, .. leaving[replicas.Key]])).Take(replicas.Count()).Order();
            return replicas.Zip(numbers, (replica, number) => replica with { Replica = number });
        })];
    }

    /// <summary>The same layers of the same pipeline, wherever they are.</summary>
    public static bool Same(StagePlacement a, StagePlacement b) =>
        a.Pipeline == b.Pipeline && a.Index == b.Index && a.FirstLayer == b.FirstLayer && a.Layers == b.Layers;

    /// <summary>The same experts under the same entity, wherever they are.</summary>
    public static bool Same(ShardPlacement a, ShardPlacement b) =>
        a.Shard == b.Shard && a.Replica == b.Replica && a.FirstExpert == b.FirstExpert && a.Experts == b.Experts;

    /// <summary>Whether the plan has that stage on that device.</summary>
    public static bool Holds(PlacementPlan plan, StagePlacement stage) => plan.Stages.Any(s => Same(s, stage) && s.Device == stage.Device);

    /// <summary>Whether the plan has that replica on that device.</summary>
    public static bool Holds(PlacementPlan plan, ShardPlacement shard) => plan.Shards.Any(s => Same(s, shard) && s.Device == shard.Device);

    public bool Any => Stages.Any(s => s is not null) || Shards.Any(s => s is not null);

    /// <summary>Nothing is anywhere yet.</summary>
    public static Pins None(Units units) => new(
        [.. Enumerable.Repeat<int?>(null, units.Stages.Length)], [.. Enumerable.Repeat<int?>(null, units.Shards.Length)]);

    /// <summary>
    /// Every way to give something up, from the least: nothing; one unit, the lightest first; all units of one device; everything.
    /// </summary>
    public IEnumerable<Pins> Loosened(Units units)
    {
        yield return this;
        if (!Any) yield break;
        var stages = Stages.Select((pin, i) => (Pin: pin, Bytes: units.Stages[i].WeightBytes, Pins: this with { Stages = Stages.SetItem(i, null) }));
        var shards = Shards.Select((pin, i) => (Pin: pin, Bytes: units.Shards[i].WeightBytes, Pins: this with { Shards = Shards.SetItem(i, null) }));
        foreach (var one in stages.Concat(shards).Where(u => u.Pin is not null).OrderBy(u => u.Bytes)) yield return one.Pins;
        foreach (var device in Stages.Concat(Shards).OfType<int>().Distinct().Order())
            yield return new Pins(Without(Stages, device), Without(Shards, device));
        yield return None(units);
    }

    private static ImmutableArray<int?> Without(ImmutableArray<int?> pins, int device) =>
        [.. pins.Select(pin => pin == device ? (int?)null : pin)];
}
