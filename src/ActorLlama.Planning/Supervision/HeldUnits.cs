using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>The units of the current plan as the nodes' offers show them.</summary>
internal static class HeldUnits
{
    /// <summary>The stage as its node holds it under the current epoch of its pipeline, loaded or not; null when it does not.</summary>
    public static NodeProtocol.HeldStage? Of(SupervisorState state, StagePlacement stage) =>
        state.Offers.TryGetValue(stage.Device.Node, out var offer)
            ? offer.Stages.FirstOrDefault(h => Pins.Same(h.Placement, stage) && h.Placement.Device == stage.Device
                && h.PlanEpoch == state.Plan.EpochOf(stage))
            : null;

    public static NodeProtocol.HeldShard? Of(SupervisorState state, ShardPlacement shard) =>
        state.Offers.TryGetValue(shard.Device.Node, out var offer)
            ? offer.Shards.FirstOrDefault(h => Pins.Same(h.Placement, shard) && h.Placement.Device == shard.Device && h.RouteEpoch == shard.Epoch)
            : null;

    public static ImmutableArray<NodeProtocol.HeldStage> LoadedStages(SupervisorState state) =>
        [.. state.Plan.Stages.Select(s => Of(state, s)).OfType<NodeProtocol.HeldStage>()
            .Where(h => h.Fault is null && h.Stage is not null && (h.Placement.Index > 0 || h.Scheduler is not null))];

    /// <summary>How many of the stages that only get ready are loaded.</summary>
    public static int ReadyIncoming(SupervisorState state) =>
        state.Plan.Incoming.Count(s => Of(state, s) is { Fault: null, Stage: not null });

    public static bool AllLoaded(SupervisorState state) =>
        LoadedStages(state).Length == state.Plan.Stages.Length && LoadedShards(state).Length == state.Plan.Shards.Length;

    /// <summary>Whether all stages are loaded, and each expert shard at least once.</summary>
    public static bool Serve(SupervisorState state) =>
        LoadedStages(state).Length == state.Plan.Stages.Length
        && LoadedShards(state).Select(h => h.Placement.Shard).Distinct().Count() == state.Plan.ExpertShards;

    /// <summary>Loaded shard replicas; their row counters are left out, so that only a change of route is a change.</summary>
    public static ImmutableArray<NodeProtocol.HeldShard> LoadedShards(SupervisorState state) =>
        [.. state.Plan.Shards.Select(s => Of(state, s)).OfType<NodeProtocol.HeldShard>()
            .Where(h => h.Fault is null && h.Expert is not null)
            .Select(h => h with { RowsComputed = 0 })];

    /// <summary>Every fault of a planned unit: node, device, unit and why.</summary>
    public static IEnumerable<string> Faults(SupervisorState state)
    {
        foreach (var stage in state.Plan.Stages.Concat(state.Plan.Incoming))
            if (Of(state, stage)?.Fault is { } fault)
                yield return $"{Where(state, stage.Device)}, stage {stage.Index} of pipeline {stage.Pipeline}: {fault}";
        foreach (var shard in state.Plan.Shards)
            if (Of(state, shard)?.Fault is { } fault)
                yield return $"{Where(state, shard.Device)}, expert shard {shard.Shard} replica {shard.Replica}: {fault}";
    }

    /// <summary>The first device of the node that could not hold what the plan gives it, and why; null when there is none that is not known yet.</summary>
    public static (DeviceId Device, string Why)? DeviceFault(SupervisorState state, NodeProtocol.Offer offer)
    {
        var stages = state.Plan.Stages.Concat(state.Plan.Incoming).Where(s => s.Device.Node == offer.Node).Select(s => Of(state, s)).OfType<NodeProtocol.HeldStage>()
            .Where(h => h is { IsDeviceFault: true, Fault: not null }).Select(h => (h.Placement.Device, h.Fault!));
        var shards = state.Plan.Shards.Where(s => s.Device.Node == offer.Node).Select(s => Of(state, s)).OfType<NodeProtocol.HeldShard>()
            .Where(h => h is { IsDeviceFault: true, Fault: not null }).Select(h => (h.Placement.Device, h.Fault!));
        foreach (var fault in stages.Concat(shards))
            if (!state.Unfit.ContainsKey(fault.Device)) return fault;
        return null;
    }

    /// <summary>The first device of the node that holds parts of the plan and says that others should, and why; null when there is none that is planned with.</summary>
    public static (DeviceId Device, string Why)? Shortage(SupervisorState state, NodeProtocol.Offer offer)
    {
        foreach (var offered in offer.Devices)
            if (offered.Fault is { } why && new DeviceId(offer.Node, offered.Name) is var device && !state.Unfit.ContainsKey(device)
                && (state.Plan.Stages.Concat(state.Plan.Incoming).Any(s => s.Device == device) || state.Plan.Shards.Any(s => s.Device == device)))
                return (device, why);
        return null;
    }

    /// <summary>The devices of the node that say so, and why, whatever they hold.</summary>
    public static IEnumerable<KeyValuePair<DeviceId, string>> Short(NodeProtocol.Offer offer) =>
        offer.Devices.Where(d => d.Fault is not null).Select(d => KeyValuePair.Create(new DeviceId(offer.Node, d.Name), d.Fault!));

    /// <summary>The devices of the node that said so before and say it no more.</summary>
    public static ImmutableArray<DeviceId> Rested(NodeProtocol.Offer known, NodeProtocol.Offer offer) =>
        [.. Short(known).Select(d => d.Key).Where(d => offer.Devices.Any(o => o.Name == d.Name && o.Fault is null))];

    public static IEnumerable<ShardPlacement> Unheld(SupervisorState state) => state.Plan.Shards.Where(s => Of(state, s) is null);

    private static string Where(SupervisorState state, DeviceId device) => $"node \"{state.Offers[device.Node].Name}\", device \"{device.Name}\"";
}
