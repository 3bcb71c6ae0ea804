using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>Plans of a run in their order: the highest wins. Unique over all its coordinators, which have an epoch each.</summary>
[MessagePackObject]
public readonly record struct TrainingPlanId([property: Key(0)] long Epoch, [property: Key(1)] long Number) : IComparable<TrainingPlanId>
{
    public int CompareTo(TrainingPlanId other) => (Epoch, Number).CompareTo((other.Epoch, other.Number));

    public override string ToString() => $"{Epoch}.{Number}";

    public static bool operator <(TrainingPlanId one, TrainingPlanId other) => one.CompareTo(other) < 0;

    public static bool operator >(TrainingPlanId one, TrainingPlanId other) => one.CompareTo(other) > 0;

    public static bool operator <=(TrainingPlanId one, TrainingPlanId other) => one.CompareTo(other) <= 0;

    public static bool operator >=(TrainingPlanId one, TrainingPlanId other) => one.CompareTo(other) >= 0;
}

/// <summary>
/// Which device owns what of a run, as indices into <paramref name="Devices"/>. <c>Pieces[p]</c>: who owns piece p of every trunk parameter, where piece p of P of n elements
/// is elements [p·n/P, (p+1)·n/P) of it, flat. <c>ExpertShards[s]</c>: who owns shard s. <c>Slots[i]</c>: who computes sequence i of the global batch. How many pieces,
/// shards and slots there are stays the same for the whole run; only their owners change.
/// </summary>
[MessagePackObject]
public sealed record TrainingPlan(
    [property: Key(0)] TrainingPlanId Id,
    [property: Key(1)] ImmutableArray<DeviceId> Devices,
    [property: Key(2)] ImmutableArray<int> Pieces,
    [property: Key(3)] ImmutableArray<int> ExpertShards,
    [property: Key(4)] ImmutableArray<int> Slots)
{
    /// <summary>Pieces that the device owns, ascending; none when it is not in the plan.</summary>
    public IEnumerable<int> PiecesOf(DeviceId device) => Of(Pieces, device);

    /// <summary>Expert shards that the device owns, ascending.</summary>
    public IEnumerable<int> ExpertShardsOf(DeviceId device) => Of(ExpertShards, device);

    /// <summary>Slots that the device computes, ascending.</summary>
    public IEnumerable<int> SlotsOf(DeviceId device) => Of(Slots, device);

    private IEnumerable<int> Of(ImmutableArray<int> owners, DeviceId device)
    {
        var index = Devices.IndexOf(device);
        return index < 0 ? [] : Enumerable.Range(0, owners.Length).Where(item => owners[item] == index);
    }
}
