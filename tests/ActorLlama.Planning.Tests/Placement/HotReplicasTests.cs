using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using FsCheck.Xunit;
using static ActorLlama.Planning.Tests.Placement.PlacementPropertyTests;

namespace ActorLlama.Planning.Tests.Placement;

public sealed class HotReplicasTests
{
    private const int Most = 3;

    [Fact]
    public void The_busiest_shard_gets_another_replica_on_another_host_and_loses_it_when_it_is_busy_no_more()
    {
        // Stages on n1, which holds no experts; four hosts with a shard each.
        ImmutableArray<PlannedDevice> devices =
            [Devices.Device(1, 0, Devices.GiB, experts: false), .. Enumerable.Range(2, 4).Select(n => Devices.Device(n, 0, Devices.GiB, trunk: false))];
        var shape = Shapes.Tiny(4, 8);
        var plan = ((PlacementResult.Placed)PlacementRules.Plan(shape, devices, new PlanOptions(ExpertShards: 4), PlacementPlan.Empty, 1)).Plan;
        ImmutableArray<double> skewed = [1000, 7000, 1000, 1000];

        var hot = HotReplicas.Of(plan, plan, devices, skewed, 1, 2, 2);
        Assert.Equal([1, 2, 1, 1], hot.Shards.CountBy(s => s.Shard).Select(c => c.Value));
        Assert.Equal((2, 0.7, 0.45), (hot.Epoch, HotReplicas.Busiest(plan, devices, skewed), Math.Round(HotReplicas.Busiest(hot, devices, skewed), 9)));
        Assert.Equal(plan.Shards, hot.Shards.Intersect(plan.Shards));
        Assert.Same(hot, HotReplicas.Of(hot, hot, devices, skewed, 1, 2, 3));
        Assert.Same(hot, HotReplicas.Of(hot, hot, devices, [1, 7, 1, 1], 1, 2, 3));

        var even = HotReplicas.Of(hot, hot, devices, [5000, 2000, 4000, 5000], 1, 2, 3);
        Assert.DoesNotContain(even.Shards.GroupBy(s => s.Shard), s => s.Key == 1 && s.Count() > 1);

        // A new plan for another reason keeps it while it has room.
        Assert.Equal(hot.Shards.AsEnumerable(), HotReplicas.Kept(hot, plan, devices, 2).Shards);
        Assert.Same(plan, HotReplicas.Kept(hot, plan, devices, 1));
        Assert.Same(plan, HotReplicas.Kept(hot, plan, [.. devices.Where(d => d.Id != hot.Shards.Except(plan.Shards).Single().Device)], 2));
        Assert.Same(plan, HotReplicas.Kept(hot, plan, [.. devices.Select(d => d with { MemoryBytes = Levelling.BytesOn(plan, d.Id) })], 2));
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void No_device_is_overdrawn_none_gets_busier_than_the_busiest_was_and_the_end_is_reached(Case c, int seed)
    {
        if (PlacementRules.Plan(c.Shape, c.Devices, c.Options, PlacementPlan.Empty, 7) is not PlacementResult.Placed { Plan: var plan }) return;
        var random = new Random(seed);
        ImmutableArray<double> rows = [.. Enumerable.Range(0, plan.ExpertShards).Select(_ => Math.Pow(random.NextDouble(), 4) * 1e6)];
        for (var step = 0; step < 40; step++)
        {
            var next = HotReplicas.Of(plan, plan, c.Devices, rows, c.Options.Replicas, Math.Max(Most, c.Options.Replicas), plan.Epoch + 1);
            if (ReferenceEquals(next, plan)) return;
            var (before, after) = (HotReplicas.Busiest(plan, c.Devices, rows), HotReplicas.Busiest(next, c.Devices, rows));
            Assert.True(after <= before + 1e-9, $"{before} to {after}");
            ShardPlacement[] meanwhile = [.. plan.Shards.Union(next.Shards)];
            foreach (var device in c.Devices)
                Assert.True(plan.Stages.Where(s => s.Device == device.Id).Sum(s => s.WeightBytes + s.KvBytes) + meanwhile.Where(s => s.Device == device.Id).Sum(s => s.WeightBytes) <= device.MemoryBytes);
            Assert.All(meanwhile.GroupBy(s => (s.Shard, s.Device)), g => Assert.Single(g));
            Assert.All(meanwhile.GroupBy(s => (s.Shard, s.Replica)), g => Assert.Single(g));
            Assert.All(next.Shards.GroupBy(s => s.Shard), g => Assert.InRange(g.Count(), c.Options.Replicas, Math.Max(Most, c.Options.Replicas)));
            plan = next;
        }

        Assert.Fail("It never comes to rest.");
    }
}
