using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Placement;

/// <summary>What is true of every plan.</summary>
internal static class PlanAssert
{
    public static PlacementPlan Placed(PlacementResult result) => result switch
    {
        PlacementResult.Placed placed => placed.Plan,
        PlacementResult.DoesNotFit refused => throw new Xunit.Sdk.XunitException($"Not placed: {refused.Describe()}"),
        _ => throw new Xunit.Sdk.XunitException("Neither placed nor refused"),
    };

    public static PlacementResult.DoesNotFit Refused(PlacementResult result) => Assert.IsType<PlacementResult.DoesNotFit>(result);

    public static void Valid(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions options, PlacementPlan plan)
    {
        WithinBudgets(devices, plan);
        Complete(shape, options, plan);
    }

    public static long BytesOn(PlacementPlan plan, DeviceId device) =>
        plan.Stages.Where(s => s.Device == device).Sum(s => s.WeightBytes + s.KvBytes)
        + plan.Shards.Where(s => s.Device == device).Sum(s => s.WeightBytes);

    public static bool Holds(PlacementPlan plan, NodeId node) =>
        plan.Stages.Any(s => s.Device.Node == node) || plan.Shards.Any(s => s.Device.Node == node);

    public static void SamePlaces(PlacementPlan expected, PlacementPlan actual)
    {
        Assert.Equal(expected.Stages, actual.Stages.AsEnumerable());
        Assert.Equal(expected.Shards, actual.Shards.AsEnumerable());
        Assert.Equal(expected.ExpertShards, actual.ExpertShards);
        Assert.Equal(expected.PipelineEpochs, actual.PipelineEpochs.AsEnumerable());
    }

    private static void WithinBudgets(ImmutableArray<PlannedDevice> devices, PlacementPlan plan)
    {
        foreach (var device in devices)
            Assert.True(BytesOn(plan, device.Id) <= device.MemoryBytes, $"{device.Id} holds {BytesOn(plan, device.Id)} of {device.MemoryBytes}");
        var trunk = devices.Where(d => d.Trunk).Select(d => d.Id).ToHashSet();
        var experts = devices.Where(d => d.Experts).Select(d => d.Id).ToHashSet();
        Assert.All(plan.Stages, s => Assert.Contains(s.Device, trunk));
        Assert.All(plan.Shards, s => Assert.Contains(s.Device, experts));
    }

    private static void Complete(ModelShape shape, PlanOptions options, PlacementPlan plan)
    {
        Assert.Equal(options.Pipelines, plan.PipelineEpochs.Length);
        for (var pipeline = 0; pipeline < options.Pipelines; pipeline++)
        {
            var stages = plan.Stages.Where(s => s.Pipeline == pipeline).OrderBy(s => s.Index).ToArray();
            Assert.Equal(Enumerable.Range(0, stages.Length), stages.Select(s => s.Index));
            Assert.Equal(
                Enumerable.Range(0, shape.Layers.Length), stages.SelectMany(s => Enumerable.Range(s.FirstLayer, s.Layers)));
            Assert.All(stages, s => Assert.True(s.Layers > 0));
            Assert.Equal(
                shape.EmbedBytes + shape.HeadBytes + shape.Layers.Sum(l => l.TrunkBytes), stages.Sum(s => s.WeightBytes));
        }

        var experts = shape.MoeLayers > 0 ? shape.Experts : 0;
        for (var replica = 0; replica < options.Replicas; replica++)
        {
            var shards = plan.Shards.Where(s => s.Replica == replica).OrderBy(s => s.Shard).ToArray();
            Assert.Equal(Enumerable.Range(0, experts == 0 ? 0 : plan.ExpertShards), shards.Select(s => s.Shard));
            Assert.Equal(Enumerable.Range(0, experts), shards.SelectMany(s => Enumerable.Range(s.FirstExpert, s.Experts)));
            Assert.All(shards, s => Assert.Equal(s.Experts * shape.ExpertBytes, s.WeightBytes));
        }

        Assert.Equal(plan.Shards.Length, plan.Shards.Select(s => (s.Shard, s.Device)).Distinct().Count());
        Assert.Equal(experts == 0 ? 0 : plan.ExpertShards * options.Replicas, plan.Shards.Length);
    }
}
