using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>Figures of a plan, and advice where there is none.</summary>
public static class PlanReportRules
{
    private const int MostDevicesToAdd = 256;

    public static PlanReport Of(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan plan)
    {
        var (bytes, messages) = WireTraffic.PerToken(shape, plan);
        return new PlanReport(
            [.. devices.Select(d => Figures(d, plan))],
            KvRoom(shape, devices, options, plan),
            bytes,
            messages,
            [.. devices.GroupBy(d => d.Id.Node).Select(node => Loss(shape, devices, options, plan, node.Key, node.First().NodeName))]);
    }

    /// <summary>Changes that each alone would make the model fit, the gentlest first; empty when none of those tried does.</summary>
    public static ImmutableArray<string> WhatWouldHelp(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options)
    {
        var help = ImmutableArray.CreateBuilder<string>();
        bool Fits(ImmutableArray<PlannedDevice> with, PlanOptions asked) =>
            PlacementRules.Plan(shape, with, asked, PlacementPlan.Empty, 1) is PlacementResult.Placed;

        if ((options.Stages ?? options.ExpertShards) is not null && Fits(devices, options with { Stages = null, ExpertShards = null }))
            help.Add("leave the numbers of stages and expert shards to the planner");
        for (var positions = options.KvPositions / 2; positions >= 64; positions /= 2)
        {
            if (!Fits(devices, options with { KvPositions = positions })) continue;
            help.Add($"room for {positions} KV positions instead of {options.KvPositions}");
            break;
        }

        if (options.Replicas > 1 && Fits(devices, options with { Replicas = 1 })) help.Add("1 replica of each expert shard");
        if (options.Pipelines > 1 && Fits(devices, options with { Pipelines = 1 })) help.Add("1 pipeline");
        if (devices.MaxBy(d => d.MemoryBytes) is { } largest && FewestMore(largest, more => Fits([.. devices, .. more], options)) is { } count)
            help.Add($"{count} more {(count == 1 ? "device" : "devices")} of {ByteText.Of(largest.MemoryBytes)}");
        return help.ToImmutable();
    }

    private static int? FewestMore(PlannedDevice model, Func<IEnumerable<PlannedDevice>, bool> fits)
    {
        IEnumerable<PlannedDevice> More(int count) => Enumerable.Range(1, count).Select(i => model with
        {
            Id = new DeviceId(new NodeId($"added-{i}", i), model.Id.Name),
            NodeName = $"added-{i}",
            Host = $"added-{i}",
            Trunk = true,
            Experts = true,
        });
        int most = 1;
        while (!fits(More(most)))
            if ((most *= 2) > MostDevicesToAdd) return null;
        var least = (most / 2) + 1;
        while (least < most)
        {
            var middle = (least + most) / 2;
            if (fits(More(middle))) most = middle;
            else least = middle + 1;
        }

        return most;
    }

    private static DeviceFigures Figures(PlannedDevice device, PlacementPlan plan) => new(
        device.Id, device.NodeName, device.Host, device.MemoryBytes,
        plan.Stages.Where(s => s.Device == device.Id).Sum(s => s.WeightBytes),
        plan.Stages.Where(s => s.Device == device.Id).Sum(s => s.KvBytes),
        plan.Shards.Where(s => s.Device == device.Id).Sum(s => s.WeightBytes));

    private static long KvRoom(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan plan)
    {
        var rooms = devices.Select(d => (
            Stages: plan.Stages.Where(s => s.Device == d.Id).ToArray(),
            Free: Figures(d, plan) is var f ? f.FreeBytes + f.KvBytes : 0)).Where(d => d.Stages.Length > 0).ToArray();
        bool Fits(int positions) => rooms.All(d =>
            d.Stages.Sum(s => ModelBytes.StageKv(shape, s.FirstLayer, s.Layers, options with { KvPositions = positions })) <= d.Free);
        int least = 0, most = int.MaxValue;
        while (least < most)
        {
            var middle = least + (int)(((long)most - least + 1) / 2);
            if (Fits(middle)) least = middle;
            else most = middle - 1;
        }

        return least;
    }

    private static NodeLoss Loss(
        ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan plan, NodeId lost, string name)
    {
        ImmutableArray<PlannedDevice> left = [.. devices.Where(d => d.Id.Node != lost)];
        if (left.Select(d => d.Id.Node).Distinct().Count() is var nodes and < 2)
            return new NodeLoss(name, false, true, 0, nodes == 0 ? "It is the only node." : "The node left is no majority of two: start a third.");
        var stage = plan.Stages.Any(s => s.Device.Node == lost);
        var only = plan.Shards.GroupBy(s => s.Shard).Any(replicas => replicas.All(r => r.Device.Node == lost));
        return PlacementRules.Plan(shape, left, options, plan, plan.Epoch + 1) switch
        {
            PlacementResult.Placed { Plan: var after } => new NodeLoss(name, true, stage || only, ReloadBytes(plan, after), ""),
            PlacementResult.DoesNotFit refused => new NodeLoss(
                name, false, true, 0,
                refused.Needs.IsEmpty ? refused.Reason : $"{ByteText.Of(refused.MissingBytes)} would be missing on the nodes left."),
            _ => throw new InvalidOperationException("Placement: neither placed nor refused."),
        };
    }

    private static long ReloadBytes(PlacementPlan before, PlacementPlan after) =>
        after.Stages.Except(before.Stages).Sum(s => s.WeightBytes) + after.Shards.Except(before.Shards).Sum(s => s.WeightBytes);
}
