using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>From one plan to the next without a gap: what moves is loaded in its new place while the old one serves.</summary>
public static class Transition
{
    /// <summary>
    /// The plan between both: it serves as <paramref name="current"/> does, and loads what <paramref name="target"/> wants elsewhere. It is <paramref name="target"/> itself where
    /// nothing that serves would move, or where there is no room for both. With <paramref name="grows"/> it is another one also where replicas are only added to what serves.
    /// </summary>
    public static PlacementPlan Between(PlacementPlan current, PlacementPlan target, ImmutableArray<PlannedDevice> devices, bool grows = false)
    {
        var there = devices.Select(d => d.Id).ToHashSet();
        var moving = target.Stages.GroupBy(s => s.Pipeline)
            .Where(next => Serves(current, next, there) && next.Any(s => !Pins.Holds(current, s)) && next.All(s => CanGetReady(current, s)))
            .Select(next => next.Key)
            .ToHashSet();
        ImmutableArray<ShardPlacement> outgoing = current.ExpertShards == target.ExpertShards
            ? [.. current.Shards.Where(s => there.Contains(s.Device) && !target.Shards.Any(t => (t.Shard, t.Replica) == (s.Shard, s.Replica)))]
            : [];
        if (moving.Count == 0 && outgoing.IsEmpty && !grows) return target;
        var between = target with
        {
            Stages = [.. target.Stages.Where(s => !moving.Contains(s.Pipeline)).Concat(current.Stages.Where(s => moving.Contains(s.Pipeline)))
                .OrderBy(s => s.Pipeline).ThenBy(s => s.Index)],
            Shards = [.. target.Shards.Concat(outgoing).OrderBy(s => s.Shard).ThenBy(s => s.Replica)],
            PipelineEpochs = [.. target.PipelineEpochs.Select((epoch, p) => moving.Contains(p) ? current.PipelineEpochs[p] : epoch)],
            Incoming = [.. target.Stages.Where(s => moving.Contains(s.Pipeline) && !Pins.Holds(current, s))],
        };
        return Fits(between, devices) ? between : target;
    }

    /// <summary>All layers are somewhere: what nodes still hold of a plan may have gaps.</summary>
    private static bool Serves(PlacementPlan plan, IGrouping<int, StagePlacement> pipeline, HashSet<DeviceId> there)
    {
        var stages = plan.Stages.Where(s => s.Pipeline == pipeline.Key).ToArray();
        return stages.Sum(s => s.Layers) == pipeline.Sum(s => s.Layers) && stages.All(s => there.Contains(s.Device));
    }

    /// <summary>A node holds a stage of a pipeline once.</summary>
    private static bool CanGetReady(PlacementPlan current, StagePlacement stage) =>
        Pins.Holds(current, stage) || !current.Stages.Any(s => (s.Pipeline, s.Index) == (stage.Pipeline, stage.Index) && s.Device.Node == stage.Device.Node);

    /// <summary>A device that leaves goes on holding what it holds.</summary>
    private static bool Fits(PlacementPlan plan, ImmutableArray<PlannedDevice> devices) => devices.Where(d => !d.IsLeaving).All(d =>
        plan.Stages.Concat(plan.Incoming).Where(s => s.Device == d.Id).Sum(s => s.WeightBytes + s.KvBytes)
        + plan.Shards.Where(s => s.Device == d.Id).Sum(s => s.WeightBytes) <= d.MemoryBytes);
}
