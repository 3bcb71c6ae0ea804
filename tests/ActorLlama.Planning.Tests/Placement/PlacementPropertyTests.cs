using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using static ActorLlama.Planning.Tests.Placement.Devices;

namespace ActorLlama.Planning.Tests.Placement;

/// <summary>Random models on random clusters.</summary>
public sealed class PlacementPropertyTests
{
    /// <summary>A cluster, a model and what is asked of the plan. <c>Tight</c>: memory is scarce, so a plan may not exist.</summary>
    public sealed record Case(ModelShape Shape, ImmutableArray<PlannedDevice> Devices, PlanOptions Options, bool Tight)
    {
        public override string ToString() => $"{Shape.Layers.Length} layers, {Shape.Experts} experts, {Options}, "
            + string.Join(" ", Devices.Select(d => $"{d.NodeName}/{d.Id.Name}@{d.Host}:{d.MemoryBytes}"));
    }

    public static class Cases
    {
        public static Arbitrary<Case> Case()
        {
            var gen =
                from layers in Gen.Choose(1, 9)
                from experts in Gen.Choose(1, 12)
                from nodes in Gen.Choose(1, 6)
                from hosts in Gen.Choose(1, nodes)
                from perNode in Gen.ArrayOf(Gen.Choose(1, 3), nodes)
                from tight in Gen.Elements(true, false)
                from sizes in Gen.ArrayOf(Gen.Choose(1, 20), perNode.Sum())
                from pipelines in Gen.Choose(1, 3)
                from stages in Gen.OneOf(Gen.Constant<int?>(null), Gen.Choose(1, layers).Select(n => (int?)n))
                from shards in Gen.OneOf(Gen.Constant<int?>(null), Gen.Choose(1, experts).Select(n => (int?)n))
                from replicas in Gen.Choose(1, Math.Min(3, perNode.Sum()))
                let devices = perNode.SelectMany((count, n) => Enumerable.Range(0, count).Select(d => (Node: n + 1, Index: d)))
                    .Select((d, i) => Device(d.Node, d.Index, tight ? sizes[i] * 400L : GiB, host: d.Node % hosts)).ToImmutableArray()
                select new Case(
                    Shapes.Tiny(layers, experts), devices,
                    new PlanOptions(pipelines, stages, shards, replicas, KvPositions: 40, KvSequences: 2), tight);
            return gen.ToArbitrary();
        }
    }

    private static PlacementResult Plan(Case c, PlacementPlan? previous = null, long epoch = 7) =>
        PlacementRules.Plan(c.Shape, c.Devices, c.Options, previous ?? PlacementPlan.Empty, epoch);

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 300)]
    public void A_plan_is_complete_and_within_every_budget(Case c)
    {
        switch (Plan(c))
        {
            case PlacementResult.Placed placed:
                PlanAssert.Valid(c.Shape, c.Devices, c.Options, placed.Plan);
                Assert.All(placed.Plan.Shards, s => Assert.Equal(7, s.Epoch));
                Assert.All(placed.Plan.PipelineEpochs, e => Assert.Equal(7, e));
                if (c.Options.ExpertShards is { } shards) Assert.Equal(shards, placed.Plan.ExpertShards);
                if (c.Options.Stages is { } stages) Assert.Equal(stages * c.Options.Pipelines, placed.Plan.Stages.Length);
                break;
            case PlacementResult.DoesNotFit refused:
                Assert.True(c.Tight, refused.Reason);
                Assert.True(refused.MissingBytes > 0 || refused.Reason.Contains("gaps", StringComparison.Ordinal), refused.Reason);
                break;
        }
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void What_is_refused_for_want_of_bytes_is_larger_than_the_devices(Case c)
    {
        if (Plan(c) is not PlacementResult.DoesNotFit refused) return;
        var total = (c.Options.Pipelines * (c.Shape.EmbedBytes + c.Shape.HeadBytes + c.Shape.Layers.Sum(l =>
            l.TrunkBytes + (l.KvBytesPerPosition * 40L)))) + (c.Options.Replicas * c.Shape.Experts * c.Shape.ExpertBytes);
        Assert.Equal(total, refused.Needs.Sum(n => n.NeededBytes));
        var missing = total - c.Devices.Sum(d => d.MemoryBytes);
        Assert.Equal(missing > 0, refused.Reason.Contains($"({missing} bytes) are missing", StringComparison.Ordinal));
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void The_order_of_devices_does_not_matter(Case c)
    {
        var reversed = c with { Devices = [.. c.Devices.Reverse()] };
        var rotated = c with { Devices = [.. c.Devices.Skip(1), c.Devices[0]] };
        foreach (var other in new[] { reversed, rotated })
        {
            switch (Plan(c), Plan(other))
            {
                case (PlacementResult.Placed a, PlacementResult.Placed b):
                    PlanAssert.SamePlaces(a.Plan, b.Plan);
                    break;
                case (PlacementResult.DoesNotFit a, PlacementResult.DoesNotFit b):
                    Assert.Equal(a.Describe(), b.Describe());
                    break;
                default:
                    Assert.Fail("one order fits, the other does not");
                    break;
            }
        }
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void Replicas_are_on_different_hosts_where_hosts_allow(Case c)
    {
        if (c.Tight || Plan(c) is not PlacementResult.Placed { Plan: var plan }) return;
        var hosts = c.Devices.ToDictionary(d => d.Id, d => d.Host);
        var expected = Math.Min(c.Options.Replicas, hosts.Values.Distinct().Count());
        foreach (var shard in plan.Shards.GroupBy(s => s.Shard))
        {
            Assert.Equal(c.Options.Replicas, shard.Select(s => s.Device).Distinct().Count());
            Assert.Equal(expected, shard.Select(s => hosts[s.Device]).Distinct().Count());
        }
    }

    /// <summary>Each node may hold stages, experts, both or neither.</summary>
    [Property(Arbitrary = [typeof(Cases)], MaxTest = 300)]
    public void Stages_and_experts_live_only_where_roles_allow(Case c, int roles)
    {
        bool Has(PlannedDevice d, int bit) => (((uint)roles >> (2 * (int)(d.Id.Node.Uid % 8))) & (1u << bit)) == 0;
        c = c with { Devices = [.. c.Devices.Select(d => d with { Trunk = Has(d, 0), Experts = Has(d, 1) })] };
        var (trunk, experts) = (c.Devices.Count(d => d.Trunk), c.Devices.Count(d => d.Experts));
        if (Plan(c) is PlacementResult.Placed { Plan: var plan }) PlanAssert.Valid(c.Shape, c.Devices, c.Options, plan);
        else Assert.True(c.Tight || trunk == 0 || experts < c.Options.Replicas, "there is room, and roles allow a plan");
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void No_node_is_empty_when_stages_and_shards_are_enough(Case c)
    {
        if (c.Tight || Plan(c) is not PlacementResult.Placed { Plan: var plan }) return;
        var nodes = c.Devices.Select(d => d.Id.Node).Distinct().ToArray();
        var units = plan.Stages.Length + plan.ExpertShards;
        if (units >= nodes.Length) Assert.All(nodes, n => Assert.True(PlanAssert.Holds(plan, n), $"{n} is empty"));
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void Planning_again_changes_nothing_but_the_epoch(Case c)
    {
        if (Plan(c) is not PlacementResult.Placed { Plan: var plan }) return;
        var again = PlanAssert.Placed(Plan(c, plan, 8));
        Assert.Equal(8, again.Epoch);
        PlanAssert.SamePlaces(plan, again);
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 300)]
    public void Losing_a_node_moves_only_what_it_held(Case c, byte which)
    {
        if (c.Tight || Plan(c) is not PlacementResult.Placed { Plan: var before }) return;
        var nodes = c.Devices.Select(d => d.Id.Node).Distinct().ToArray();
        var lost = nodes[which % nodes.Length];
        var left = c with { Devices = [.. c.Devices.Where(d => d.Id.Node != lost)] };
        if (left.Devices.Length < c.Options.Replicas) return;
        var after = PlanAssert.Placed(Plan(left, before, 8));
        var chosen = c.Options with { ExpertShards = before.ExpertShards };
        PlanAssert.Valid(c.Shape, left.Devices, before.Shards.All(s => s.Device.Node == lost) ? c.Options : chosen, after);
        Assert.Subset(after.Shards.ToHashSet(), before.Shards.Where(s => s.Device.Node != lost).ToHashSet());
        Assert.Subset(after.Stages.ToHashSet(), before.Stages.Where(s => s.Device.Node != lost).ToHashSet());
        for (var pipeline = 0; pipeline < c.Options.Pipelines; pipeline++)
        {
            var hit = before.Stages.Any(s => s.Pipeline == pipeline && s.Device.Node == lost);
            Assert.Equal(hit ? 8 : 7, after.PipelineEpochs[pipeline]);
        }

        Assert.Equal(
            after.Shards.Where(s => s.Epoch == 8).Select(s => (s.Shard, s.Replica)),
            after.Shards.Except(before.Shards).Select(s => (s.Shard, s.Replica)));
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void A_node_that_joins_stays_spare(Case c)
    {
        if (Plan(c) is not PlacementResult.Placed { Plan: var before }) return;
        var more = c with { Devices = c.Devices.Add(Device(9, 0, 2 * GiB)) };
        PlanAssert.SamePlaces(before, PlanAssert.Placed(Plan(more, before, 8)));
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 200)]
    public void Stages_are_as_even_as_contiguous_layers_allow(Case c)
    {
        var stages = c.Options.Stages ?? 1;
        var split = StageSplit.Split(c.Shape, stages, c.Options);
        long BytesOf((int First, int Layers) range) =>
            ModelBytes.StageWeights(c.Shape, range.First, range.Layers) + ModelBytes.StageKv(c.Shape, range.First, range.Layers, c.Options);
        var best = AllSplits(c.Shape.Layers.Length, stages).Min(ranges => ranges.Max(BytesOf));
        Assert.Equal(best, split.Max(BytesOf));
    }

    private static IEnumerable<ImmutableArray<(int First, int Layers)>> AllSplits(int layers, int stages, int first = 0)
    {
        if (stages == 1)
        {
            yield return [(first, layers - first)];
            yield break;
        }

        for (var count = 1; first + count + stages - 1 <= layers; count++)
            foreach (var rest in AllSplits(layers, stages - 1, first + count)) yield return rest.Insert(0, (first, count));
    }
}
