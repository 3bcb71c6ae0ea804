using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Why there is no plan, in words.</summary>
internal static class PlanRefusals
{
    /// <summary>What is wrong with the options for this model and these devices, or null.</summary>
    public static string? OfOptions(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options)
    {
        var layers = shape.Layers.Length;
        var expertDevices = devices.Count(d => d.Experts);
        var hasExperts = ModelBytes.HasExperts(shape);
        return (options, hasExperts) switch
        {
            _ when devices.IsEmpty => "Placement: there is no device. Start nodes with devices.",
            ({ Pipelines: < 1 }, _) => $"Placement: pipelines is {options.Pipelines}; at least 1 is needed. Change pipelines.",
            ({ Stages: < 1 }, _) => $"Placement: stages is {options.Stages}; at least 1 is needed. Change stages.",
            ({ Replicas: < 1 }, _) => $"Placement: replicas is {options.Replicas}; at least 1 is needed. Change replicas.",
            ({ KvPositions: < 1 }, _) => $"Placement: KV positions is {options.KvPositions}; at least 1 is needed. Change KV positions.",
            ({ KvSequences: < 1 }, _) => $"Placement: KV sequences is {options.KvSequences}; at least 1 is needed. Change KV sequences.",
            ({ Stages: { } stages }, _) when stages > layers =>
                $"Placement: stages is {stages}, but \"{shape.Name}\" has {layers} layers and a stage holds at least one. Change stages.",
            _ when !devices.Any(d => d.Trunk) => "Placement: no device may hold stages. Give a node the role \"trunk\".",
            ({ ExpertShards: > 0 }, false) =>
                $"Placement: expert shards is {options.ExpertShards}, but \"{shape.Name}\" has no routed experts. Leave expert shards out.",
            ({ ExpertShards: < 1 }, true) => $"Placement: expert shards is {options.ExpertShards}; at least 1 is needed. Change expert shards.",
            ({ ExpertShards: { } shards }, true) when shards > shape.Experts =>
                $"Placement: expert shards is {shards}, but \"{shape.Name}\" has {shape.Experts} experts and a shard holds at least one. Change expert shards.",
            (_, true) when expertDevices == 0 => "Placement: no device may hold experts. Give a node the role \"experts\".",
            (_, true) when options.Replicas > expertDevices =>
                $"Placement: replicas is {options.Replicas}, but only {expertDevices} devices may hold experts and replicas need a device each. Change replicas.",
            _ => null,
        };
    }

    /// <summary>The bytes that are needed and that there are, in all and per device.</summary>
    public static PlacementResult.DoesNotFit OfMemory(
        ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, Units units)
    {
        var (stages, shards) = Packing.TryPack(devices, units, Pins.None(units), PackingStyle.Overflowing)
            ?? throw new InvalidOperationException("Placement: a packing without limits found no device.");
        var needed = new long[devices.Length];
        for (var i = 0; i < stages.Length; i++) needed[stages[i]] += units.Stages[i].WeightBytes + units.Stages[i].KvBytes;
        for (var i = 0; i < shards.Length; i++) needed[shards[i]] += units.Shards[i].WeightBytes;
        return new PlacementResult.DoesNotFit(
            MemoryReason(shape, devices, options, units),
            [.. devices.Select((d, i) => new DeviceNeed(d.Id, d.NodeName, needed[i], d.MemoryBytes))]);
    }

    private static string MemoryReason(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, Units units)
    {
        var needed = ModelBytes.Total(shape, options);
        var available = devices.Sum(d => d.MemoryBytes);
        var what = $"Placement: \"{shape.Name}\" needs {ByteText.Of(needed)} ({needed} bytes) and {devices.Length} devices have "
            + $"{ByteText.Of(available)} ({available} bytes)";
        if (needed > available)
        {
            return $"{what}: {ByteText.Of(needed - available)} ({needed - available} bytes) are missing. "
                + "Add devices, or lower KV positions, pipelines or replicas.";
        }

        var stage = units.Stages.Max(s => s.WeightBytes + s.KvBytes);
        var shard = units.Shards.IsEmpty ? 0 : units.Shards.Max(s => s.WeightBytes);
        return $"{what}, but a stage of {ByteText.Of(stage)} and expert shards of {ByteText.Of(shard)} leave gaps that nothing fits in. "
            + "Use more stages or expert shards, or add devices.";
    }
}
