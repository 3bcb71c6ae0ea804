using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Which stage and which expert-shard replica goes on which device. Equal inputs give equal plans, whatever the order of devices.</summary>
public static class PlacementRules
{
    private static readonly ImmutableArray<PackingStyle> Styles = [PackingStyle.Spread, PackingStyle.TightStages, PackingStyle.Roomiest];

    /// <summary>
    /// A plan of these devices, or why there is none. What <paramref name="previous"/> placed stays where it is while its device exists and
    /// the rest can be placed around it; then as few bytes as possible move. A shard replica that stays keeps its epoch, as does a pipeline
    /// none of whose stages changed; everything else gets <paramref name="epoch"/>, which must be above <paramref name="previous"/>'s.
    /// </summary>
    /// <exception cref="ArgumentException">Two devices have the same id.</exception>
    public static PlacementResult Plan(
        ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan previous, long epoch)
    {
        var ordered = InFixedOrder(devices);
        if (PlanRefusals.OfOptions(shape, ordered, options) is { } reason) return new PlacementResult.DoesNotFit(reason, []);
        var candidates = Candidates(shape, ordered, options, previous);
        if (ModelBytes.Total(shape, options) <= ordered.Sum(d => d.MemoryBytes))
        {
            var (held, kept) = candidates[0];
            if (TryPlace(ordered, held, kept.Loosened(held)) is { } repaired)
                return new PlacementResult.Placed(Finish(ordered, held, repaired, previous, epoch));
            foreach (var (units, pins) in candidates.Skip(1))
                if (TryPlace(ordered, units, pins.Any ? [pins, Pins.None(units)] : [pins]) is { } placed)
                    return new PlacementResult.Placed(Finish(ordered, units, placed, previous, epoch));
        }

        return PlanRefusals.OfMemory(shape, ordered, options, candidates[0].Units);
    }

    private static ImmutableArray<PlannedDevice> InFixedOrder(ImmutableArray<PlannedDevice> devices)
    {
        if (devices.GroupBy(d => d.Id).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"Placement: device \"{twice.Key}\" is given {twice.Count()} times.", nameof(devices));
        return [.. devices
            .OrderBy(d => d.NodeName, StringComparer.Ordinal)
            .ThenBy(d => d.Id.Node.Address, StringComparer.Ordinal)
            .ThenBy(d => d.Id.Node.Uid)
            .ThenBy(d => d.Id.Name.Length)
            .ThenBy(d => d.Id.Name, StringComparer.Ordinal)];
    }

    private static (int[] Stages, int[] Shards)? TryPlace(ImmutableArray<PlannedDevice> devices, Units units, IEnumerable<Pins> attempts)
    {
        if (!MayFit(devices, units)) return null;
        foreach (var pins in attempts)
            foreach (var style in Styles)
                if (Packing.TryPack(devices, units, pins, style) is { } placed) return placed;
        return null;
    }

    /// <summary>False when a unit is larger than every device, or the devices have fewer places for expert shards than there are.</summary>
    private static bool MayFit(ImmutableArray<PlannedDevice> devices, Units units)
    {
        if (units.Stages.Max(s => s.WeightBytes + s.KvBytes) > devices.Where(d => d.Trunk).Max(d => d.MemoryBytes)) return false;
        if (units.Shards.IsEmpty) return true;
        var experts = devices.Where(d => d.Experts).ToArray();
        var least = Math.Max(1, units.Shards.Min(s => s.WeightBytes));
        return units.Shards.Max(s => s.WeightBytes) <= experts.Max(d => d.MemoryBytes)
            && experts.Sum(d => Math.Max(0, d.MemoryBytes) / least) >= units.Shards.Length;
    }

    /// <summary>Divisions of the model to try, those first that keep most of what is held, then those with the fewest stages and shards.</summary>
    private static ImmutableArray<(Units Units, Pins Pins)> Candidates(
        ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan previous)
    {
        var indices = devices.Select((d, i) => (d.Id, i)).ToDictionary(x => x.Id, x => x.i);
        var stages = StageCounts(shape, devices, options)
            .Select(n => Units.StagesOf(shape, n, options))
            .Select(units => (Units: units, Pins: Pins.OfStages(units, previous, indices)))
            .ToArray();
        var shards = ShardCounts(shape, options)
            .Select(n => (Count: n, Units: Pins.Numbered(Units.ShardsOf(shape, n, options), previous, devices)))
            .Select(s => (s.Count, s.Units, Pins: Pins.OfShards(s.Units, previous, indices)))
            .Where(s => s.Pins.Any(p => p is not null) || IsTriedAfresh(s.Count, shape, devices, options))
            .ToArray();
        return [.. stages
            .SelectMany(a => shards.Select(b => (
                Units: new Units(a.Units, b.Units, b.Count),
                Pins: new Pins(a.Pins, b.Pins),
                Kept: KeptBytes(a.Units, a.Pins) + KeptBytes(b.Units, b.Pins))))
            .OrderByDescending(c => c.Kept)
            .Select(c => (c.Units, c.Pins))];
    }

    private static IEnumerable<int> StageCounts(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options) =>
        options.Stages is { } asked
            ? [asked]
            : Enumerable.Range(1, Math.Min(shape.Layers.Length, 4 * devices.Count(d => d.Trunk)));

    private static IEnumerable<int> ShardCounts(ModelShape shape, PlanOptions options) =>
        !ModelBytes.HasExperts(shape) ? [0]
        : options.ExpertShards is { } asked ? [asked]
        : Enumerable.Range(1, shape.Experts);

    /// <summary>Where nothing is held yet: one shard per device that may hold experts; where that does not fit, finer ones.</summary>
    private static bool IsTriedAfresh(int count, ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options)
    {
        if (count == 0 || options.ExpertShards is not null || count == shape.Experts) return true;
        var coarsest = devices.Count(d => d.Experts);
        return count % coarsest == 0 && int.IsPow2(count / coarsest);
    }

    private static long KeptBytes(ImmutableArray<StagePlacement> units, ImmutableArray<int?> pins) =>
        units.Select((unit, i) => pins[i] is null ? 0 : unit.WeightBytes).Sum();

    private static long KeptBytes(ImmutableArray<ShardPlacement> units, ImmutableArray<int?> pins) =>
        units.Select((unit, i) => pins[i] is null ? 0 : unit.WeightBytes).Sum();

    private static PlacementPlan Finish(
        ImmutableArray<PlannedDevice> devices, Units units, (int[] Stages, int[] Shards) placed, PlacementPlan previous, long epoch)
    {
        ImmutableArray<StagePlacement> stages = [.. units.Stages.Select((s, i) => s with { Device = devices[placed.Stages[i]].Id })];
        ImmutableArray<ShardPlacement> shards = [.. units.Shards.Select((s, i) =>
        {
            var here = devices[placed.Shards[i]].Id;
            var held = previous.Shards.FirstOrDefault(h => Pins.Same(h, s) && h.Device == here);
            return s with { Device = here, Epoch = held?.Epoch ?? epoch };
        })];
        ImmutableArray<long> pipelineEpochs = [.. stages.GroupBy(s => s.Pipeline).Select(mine => PipelineEpoch([.. mine], previous) ?? epoch)];
        return new PlacementPlan(epoch, stages, shards, units.ExpertShards, pipelineEpochs);
    }

    private static long? PipelineEpoch(ImmutableArray<StagePlacement> stages, PlacementPlan previous)
    {
        var pipeline = stages[0].Pipeline;
        var before = previous.Stages.Where(s => s.Pipeline == pipeline).OrderBy(s => s.Index).ToArray();
        var unchanged = before.Length == stages.Length
            && before.Zip(stages).All(x => Pins.Same(x.First, x.Second) && x.First.Device == x.Second.Device);
        return unchanged ? previous.PipelineEpochs[pipeline] : null;
    }
}
