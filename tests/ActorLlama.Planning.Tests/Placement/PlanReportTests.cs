using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Placement.Devices;

namespace ActorLlama.Planning.Tests.Placement;

public sealed class PlanReportTests
{
    private static (PlacementPlan Plan, PlanReport Report) Report(
        ModelShape shape, ImmutableArray<PlannedDevice> devices, PlanOptions? options = null)
    {
        var plan = PlanAssert.Placed(PlacementRules.Plan(shape, devices, options ?? new PlanOptions(), PlacementPlan.Empty, 1));
        return (plan, PlanReportRules.Of(shape, devices, options ?? new PlanOptions(), plan));
    }

    [Fact]
    public void Bytes_per_device_add_up_to_the_plan()
    {
        var gpus = Gpus(4, 80 * GiB);
        var (plan, report) = Report(Shapes.Scout, gpus);
        Assert.Equal(Shapes.WeightBytes(Shapes.Scout), report.Devices.Sum(d => d.StageBytes + d.ShardBytes));
        Assert.All(report.Devices, d => Assert.Equal(PlanAssert.BytesOn(plan, d.Device), d.MemoryBytes - d.FreeBytes));
    }

    [Fact]
    public void The_KV_room_is_the_largest_that_fits()
    {
        var shape = new ModelShape("one", 8, 8, 1_000_000, 0, 1, 0, 0, 0, 4, [new LayerShape(false, 1_000, 10, null)]);
        Assert.Equal(900, Report(shape, Nodes(1, 10_009), new PlanOptions(KvPositions: 5)).Report.KvRoomPositions);
        var chunked = shape with { Layers = [new LayerShape(false, 500, 10, 64), new LayerShape(false, 500, 10, null)] };
        Assert.Equal(772, Report(chunked, Nodes(1, 10_009), new PlanOptions(KvPositions: 5, KvSequences: 2)).Report.KvRoomPositions);
    }

    [Fact]
    public void One_node_sends_nothing()
    {
        var (_, report) = Report(Shapes.Scout, Gpus(8, 80 * GiB));
        Assert.Equal((0, 0), (report.WireBytesPerToken, report.WireMessagesPerToken));
    }

    [Fact]
    public void A_token_sends_its_row_to_remote_experts_and_back()
    {
        var devices = Nodes(2, 400 * GiB);
        var (plan, report) = Report(Shapes.Scout, devices, new PlanOptions(ExpertShards: 4));
        var remote = plan.Shards.Where(s => s.Device.Node != plan.Stages[0].Device.Node).Sum(s => s.Experts) / 16.0;
        Assert.True(remote > 0);
        Assert.Equal(48 * 2 * remote * 5120 * 2, report.WireBytesPerToken, 3);
        Assert.Equal(48 * 2 * remote, report.WireMessagesPerToken, 6);
    }

    [Fact]
    public void Stages_on_different_nodes_pass_one_row_on_and_the_id_back()
    {
        var (plan, report) = Report(Shapes.Tiny(6, 8, moe: false), Nodes(3, GiB), new PlanOptions(Stages: 3));
        Assert.Equal(3, plan.Stages.Select(s => s.Device.Node).Distinct().Count());
        Assert.Equal((2 * 64 * 4) + 4, report.WireBytesPerToken);
        Assert.Equal(3, report.WireMessagesPerToken);
    }

    [Fact]
    public void Several_experts_per_token_call_a_shard_once()
    {
        var shape = Shapes.Tiny(1, 4) with { ExpertsPerToken = 4 };
        ImmutableArray<PlannedDevice> devices = [Device(1, 0, GiB, experts: false), Device(2, 0, GiB, trunk: false)];
        var (_, report) = Report(shape, devices);
        Assert.Equal(2, report.WireMessagesPerToken);
        Assert.Equal(2 * 4 * 64 * 4, report.WireBytesPerToken);
    }

    [Fact]
    public void Losses_are_survived_where_the_rest_has_room_and_without_a_pause_where_a_replica_is_left()
    {
        var (plan, report) = Report(Shapes.Tiny(6, 8), Nodes(3, GiB), new PlanOptions(Replicas: 2));
        var stage = plan.Stages[0].Device.Node;
        foreach (var (loss, number) in report.Losses.Select((loss, i) => (loss, i + 1)))
        {
            Assert.True(loss.Survives);
            Assert.Equal(Node(number) == stage, loss.Pauses);
            Assert.Equal(
                plan.Stages.Where(s => s.Device.Node == Node(number)).Sum(s => s.WeightBytes)
                + plan.Shards.Where(s => s.Device.Node == Node(number)).Sum(s => s.WeightBytes),
                loss.ReloadBytes);
        }

        var (_, tight) = Report(Shapes.Scout, Nodes(3, 90 * GiB));
        Assert.All(tight.Losses, l => Assert.Equal((false, true), (l.Survives, l.Pauses)));
        Assert.All(tight.Losses, l => Assert.Contains("missing", l.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void A_loss_that_leaves_no_majority_is_not_survived()
    {
        Assert.All(Report(Shapes.Tiny(6, 8), Nodes(2, GiB)).Report.Losses, l => Assert.Equal((false, true), (l.Survives, l.Reason.Contains("majority"))));
        Assert.Contains("only node", Assert.Single(Report(Shapes.Tiny(6, 8), Nodes(1, GiB)).Report.Losses).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_help_is_tried_before_it_is_said()
    {
        Assert.Equal(["1 more device of 80.0 GiB"], PlanReportRules.WhatWouldHelp(Shapes.Scout, Gpus(2, 80 * GiB), new PlanOptions()).AsEnumerable());
        var thrice = new PlanOptions(Replicas: 3);
        var count = Enumerable.Range(1, 9).First(n =>
            PlacementRules.Plan(Shapes.Scout, Gpus(4 + n, 80 * GiB), thrice, PlacementPlan.Empty, 1) is PlacementResult.Placed);
        Assert.InRange(count, 3, 6);
        Assert.Equal(
            ["1 replica of each expert shard", $"{count} more devices of 80.0 GiB"],
            PlanReportRules.WhatWouldHelp(Shapes.Scout, Gpus(4, 80 * GiB), thrice).AsEnumerable());
        var room = PlanReportRules.WhatWouldHelp(Shapes.Scout, Gpus(3, 80 * GiB), new PlanOptions(KvPositions: 1 << 20));
        Assert.Contains("KV positions instead of 1048576", room[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_advised_where_no_single_change_helps() => Assert.Empty(PlanReportRules.WhatWouldHelp(
        Shapes.Scout, Gpus(2, 80 * GiB), new PlanOptions(Stages: 1, KvPositions: 1 << 20)));
}
