using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Placement.Devices;

namespace ActorLlama.Planning.Tests.Placement;

public sealed class PlacementRulesTests
{
    private static readonly PlanOptions Defaults = new();

    private static PlacementResult Plan(ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions? options = null) =>
        PlacementRules.Plan(shape, devices, options ?? Defaults, PlacementPlan.Empty, 1);

    [Fact]
    public void The_shapes_have_the_parameters_of_the_specification()
    {
        Assert.Equal(107_769_861_120 * 2, Shapes.WeightBytes(Shapes.Scout));
        Assert.Equal(400_711_848_960 * 2, Shapes.WeightBytes(Shapes.Maverick));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void Scout_fits_on_devices_of_80_GiB(int devices)
    {
        var gpus = Gpus(devices, 80 * GiB);
        var plan = PlanAssert.Placed(Plan(Shapes.Scout, gpus));
        PlanAssert.Valid(Shapes.Scout, gpus, Defaults, plan);
        Assert.Single(plan.Stages);
        Assert.Equal(devices, plan.ExpertShards);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    public void Maverick_fits_on_devices_of_80_GiB(int devices)
    {
        var gpus = Gpus(devices, 80 * GiB);
        var plan = PlanAssert.Placed(Plan(Shapes.Maverick, gpus));
        PlanAssert.Valid(Shapes.Maverick, gpus, Defaults, plan);
        Assert.Equal(devices, plan.ExpertShards);
        Assert.Equal(devices / 8, plan.Shards.Select(s => s.Device.Node).Distinct().Count());
    }

    [Fact]
    public void Scout_on_two_devices_of_80_GiB_is_refused_with_the_missing_amount()
    {
        var refused = PlanAssert.Refused(Plan(Shapes.Scout, Gpus(2, 80 * GiB)));
        var missing = Shapes.WeightBytes(Shapes.Scout) + KvOf(Shapes.Scout, Defaults) - (160 * GiB);
        Assert.Contains($"{ByteText.Of(missing)} ({missing} bytes) are missing", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("\"llama4-17b-16e\"", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(missing, refused.MissingBytes);
        Assert.All(refused.Needs, n => Assert.Equal(80 * GiB, n.AvailableBytes));
        Assert.Contains("\"n1\" cuda:1 would need", refused.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void Scout_takes_two_stages_where_its_trunk_fits_on_no_device()
    {
        var devices = Gpus(32, 16 * GiB);
        var plan = PlanAssert.Placed(Plan(Shapes.Scout, devices, Defaults with { KvPositions = 4096 }));
        Assert.Equal(2, plan.Stages.Length);
        Assert.Equal([24, 24], plan.Stages.Select(s => s.Layers));
        PlanAssert.Valid(Shapes.Scout, devices, Defaults, plan);
    }

    [Fact]
    public void Shards_get_finer_where_one_per_device_fits_on_no_device()
    {
        ImmutableArray<PlannedDevice> devices = [Device(1, 0, 150 * GiB), Device(2, 0, 40 * GiB), Device(3, 0, 40 * GiB)];
        var plan = PlanAssert.Placed(Plan(Shapes.Scout, devices));
        PlanAssert.Valid(Shapes.Scout, devices, Defaults, plan);
        Assert.True(plan.ExpertShards > 3, $"{plan.ExpertShards} shards");
    }

    [Fact]
    public void Three_nodes_share_a_small_model_so_that_each_holds_something()
    {
        var plan = PlanAssert.Placed(Plan(Shapes.Tiny(6, 8), Nodes(3, GiB)));
        Assert.Single(plan.Stages);
        Assert.Equal(3, plan.ExpertShards);
        Assert.Equal(3, plan.Shards.Select(s => s.Device.Node).Append(plan.Stages[0].Device.Node).Distinct().Count());
        Assert.Equal([(0, 2), (2, 3), (5, 3)], plan.Shards.Select(s => (s.FirstExpert, s.Experts)));
    }

    [Fact]
    public void One_node_holds_everything_when_it_is_alone()
    {
        var plan = PlanAssert.Placed(Plan(Shapes.Tiny(6, 8), Nodes(1, GiB), new PlanOptions(Stages: 4, ExpertShards: 8)));
        Assert.Equal(4, plan.Stages.Length);
        Assert.Equal(8, plan.Shards.Length);
    }

    [Fact]
    public void Roles_say_where_stages_and_experts_may_live()
    {
        ImmutableArray<PlannedDevice> devices =
            [Device(1, 0, GiB, experts: false), Device(2, 0, GiB, trunk: false), Device(3, 0, GiB, trunk: false, experts: false)];
        var plan = PlanAssert.Placed(Plan(Shapes.Tiny(4, 4), devices));
        Assert.All(plan.Stages, s => Assert.Equal(Node(1), s.Device.Node));
        Assert.All(plan.Shards, s => Assert.Equal(Node(2), s.Device.Node));
    }

    [Fact]
    public void A_dense_model_has_no_shards()
    {
        var plan = PlanAssert.Placed(Plan(Shapes.Tiny(4, 4, moe: false), Nodes(2, GiB)));
        Assert.Empty(plan.Shards);
        Assert.Equal(0, plan.ExpertShards);
    }

    [Fact]
    public void A_chunked_layer_reserves_one_chunk_per_sequence_and_a_full_layer_everything()
    {
        var shape = new ModelShape(
            "two", 8, 8, 100_000, 0, 1, 10, 20, 0, 4, [new LayerShape(false, 100, 3, 8192), new LayerShape(false, 100, 5, null)]);
        var plan = PlanAssert.Placed(Plan(shape, Nodes(1, GiB), new PlanOptions(KvPositions: 40_000, KvSequences: 2)));
        Assert.Equal((3 * 2 * 8192) + (5 * 40_000), plan.Stages[0].KvBytes);
        Assert.Equal(230, plan.Stages[0].WeightBytes);
    }

    public static TheoryData<PlanOptions, string> WrongOptions => new()
    {
        { new PlanOptions(Stages: 5), "stages is 5, but \"tiny\" has 4 layers" },
        { new PlanOptions(Stages: 0), "stages is 0" },
        { new PlanOptions(ExpertShards: 9), "expert shards is 9, but \"tiny\" has 8 experts" },
        { new PlanOptions(ExpertShards: 0), "expert shards is 0" },
        { new PlanOptions(Replicas: 3), "replicas is 3, but only 2 devices" },
        { new PlanOptions(Replicas: 0), "replicas is 0" },
        { new PlanOptions(Pipelines: 0), "pipelines is 0" },
        { new PlanOptions(KvPositions: 0), "KV positions is 0" },
        { new PlanOptions(KvSequences: 0), "KV sequences is 0" },
    };

    [Theory]
    [MemberData(nameof(WrongOptions))]
    public void Options_that_cannot_be_honoured_are_refused_by_name_and_value(PlanOptions options, string expected) =>
        Assert.Contains(expected, PlanAssert.Refused(Plan(Shapes.Tiny(4, 8), Nodes(2, GiB), options)).Reason, StringComparison.Ordinal);

    [Fact]
    public void Missing_devices_and_roles_are_named()
    {
        var shape = Shapes.Tiny(4, 8);
        Assert.Contains("no device", PlanAssert.Refused(Plan(shape, [])).Reason, StringComparison.Ordinal);
        Assert.Contains("\"trunk\"", PlanAssert.Refused(Plan(shape, [Device(1, 0, GiB, trunk: false)])).Reason, StringComparison.Ordinal);
        Assert.Contains("\"experts\"", PlanAssert.Refused(Plan(shape, [Device(1, 0, GiB, experts: false)])).Reason, StringComparison.Ordinal);
        Assert.Contains(
            "no routed experts",
            PlanAssert.Refused(Plan(Shapes.Tiny(4, 8, moe: false), Nodes(2, GiB), new PlanOptions(ExpertShards: 2))).Reason,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_fits_in_all_but_in_no_arrangement_is_refused_with_the_sizes_of_its_parts()
    {
        var refused = PlanAssert.Refused(Plan(Shapes.Scout, Gpus(32, 10 * GiB)));
        Assert.Contains("leave gaps", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("expert shards of 11.2 GiB", refused.Reason, StringComparison.Ordinal);
        Assert.True(refused.MissingBytes > 0);
    }

    [Fact]
    public void Maverick_without_one_of_its_two_hosts_is_refused_and_keeps_its_place_when_one_comes_back()
    {
        var all = Gpus(16, 80 * GiB);
        var plan = PlanAssert.Placed(Plan(Shapes.Maverick, all));
        var left = PlacementRules.Plan(Shapes.Maverick, [.. all.Take(8)], Defaults, plan, 2);
        Assert.Contains("are missing", PlanAssert.Refused(left).Reason, StringComparison.Ordinal);
        ImmutableArray<PlannedDevice> tight = [.. all.Select(d => d with { MemoryBytes = 50 * GiB })];
        Assert.Contains("leave gaps", PlanAssert.Refused(PlacementRules.Plan(Shapes.Maverick, [.. tight.Take(15)], Defaults, plan, 2)).Reason, StringComparison.Ordinal);
        ImmutableArray<PlannedDevice> replaced = [.. all.Take(8), .. Enumerable.Range(0, 8).Select(i => Device(3, i, 80 * GiB))];
        var back = PlanAssert.Placed(PlacementRules.Plan(Shapes.Maverick, replaced, Defaults, plan, 3));
        Assert.Equal(plan.Shards.Where(s => s.Device.Node == Node(1)), back.Shards.Where(s => s.Device.Node == Node(1)));
        Assert.Equal(16, back.ExpertShards);
    }

    private static long KvOf(ModelShape shape, PlanOptions options) =>
        shape.Layers.Sum(l => (long)l.KvBytesPerPosition * options.KvPositions);
}
