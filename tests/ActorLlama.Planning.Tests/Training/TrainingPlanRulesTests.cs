using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Planning.Training;
using static ActorLlama.Planning.Tests.Placement.Devices;

namespace ActorLlama.Planning.Tests.Training;

public sealed class TrainingPlanRulesTests
{
    private static readonly TrainingPlanOptions s_options = new() { PerDeviceBatchSize = 1, MaxTargetLength = 64 };

    [Fact]
    public void Every_device_gets_its_share_of_every_parameter()
    {
        var plan = Planned(TrainedShapes.Small(), 4, s_options).Plan;
        Sequences.Equal([60, 60, 60, 60], plan.Devices.Select(d => plan.PiecesOf(d).Count()));
        Sequences.Equal([(1500L, 2250L)], TrunkPieces.RangesOf(plan, plan.Devices[2], 3000));
        Sequences.Equal([0, 1, 2, 3], plan.ExpertShards);
        Sequences.Equal([0, 1, 2, 3], plan.Slots);
    }

    [Fact]
    public void Half_a_sequence_per_device_leaves_devices_that_own_parameters_but_compute_nothing()
    {
        var planned = Planned(TrainedShapes.Small(), 4, s_options with { PerDeviceBatchSize = 0.5 });
        Sequences.Equal([1, 1, 0, 0], planned.Plan.Devices.Select(d => planned.Plan.SlotsOf(d).Count()));
        Assert.All(planned.Bytes, b => Assert.True(b.Weights > 0));
        Sequences.Equal([true, true, false, false], planned.Bytes.Select(b => b.Activations > 0));
    }

    [Fact]
    public void Slots_of_all_microbatches_are_dealt_in_turn()
    {
        var plan = Planned(TrainedShapes.Small(), 3, s_options with { GradientAccumulationSteps = 2 }).Plan;
        Sequences.Equal([0, 1, 2, 0, 1, 2], plan.Slots);
    }

    [Theory]
    [InlineData(0.3, "per_device_batch_size is 0.3")]
    [InlineData(0, "per_device_batch_size is 0")]
    [InlineData(-1, "per_device_batch_size is -1")]
    [InlineData(double.NaN, "per_device_batch_size is NaN")]
    public void Batches_of_no_whole_number_of_sequences_are_refused(double perDevice, string reason) =>
        Assert.Contains(reason, Refused(TrainedShapes.Small(), 2, s_options with { PerDeviceBatchSize = perDevice }).Reason, StringComparison.Ordinal);

    [Theory]
    [InlineData(-1, 1, 4, 4)]
    [InlineData(-1, 2, 4, 2)]
    [InlineData(2, -1, 4, 2)]
    [InlineData(1, 4, 4, 4)]
    [InlineData(3, 1, 3, 3)]
    public void The_two_axes_span_the_devices(int fsdp, int experts, int devices, int shards) =>
        Assert.Equal(shards, Planned(TrainedShapes.Small(), devices, s_options with { IciFsdpParallelism = fsdp, IciExpertParallelism = experts }).Plan.ExpertShards.Length);

    [Theory]
    [InlineData(3, 1, 4, "ici_fsdp_parallelism is 3 and ici_expert_parallelism is 1, which does not span 4 devices")]
    [InlineData(-1, 3, 4, "ici_expert_parallelism is 3, which does not span 4")]
    [InlineData(-1, -1, 4, "both -1")]
    [InlineData(0, 1, 4, "ici_fsdp_parallelism is 0")]
    [InlineData(8, -1, 4, "does not span 4 devices")]
    [InlineData(1, 8, 8, "expert shards is 8, and \"tiny\" has 4 experts")]
    public void Axes_that_do_not_are_refused(int fsdp, int experts, int devices, string reason) =>
        Assert.Contains(
            reason, Refused(TrainedShapes.Small(), devices, s_options with { IciFsdpParallelism = fsdp, IciExpertParallelism = experts }).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_dense_model_has_no_expert_shards()
    {
        Assert.Empty(Planned(TrainedShapes.Small(experts: 0), 3, s_options).Plan.ExpertShards);
        Assert.Contains("no routed experts", Refused(TrainedShapes.Small(experts: 0), 3, s_options with { ExpertShards = 2 }).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Roles_say_what_goes_where()
    {
        PlannedDevice[] devices = [Device(1, 0, GiB, experts: false), Device(2, 0, GiB, trunk: false), Device(3, 0, GiB)];
        var plan = Planned(TrainedShapes.Small(), [.. devices], s_options with { PerDeviceBatchSize = 2 }).Plan;
        Sequences.Equal([120, 0, 120], plan.Devices.Select(d => plan.PiecesOf(d).Count()));
        Sequences.Equal([3, 0, 3], plan.Devices.Select(d => plan.SlotsOf(d).Count()));
        Sequences.Equal([1, 2], plan.ExpertShards);
    }

    [Fact]
    public void Bytes_of_a_device_follow_the_formula_of_ZeRO_3()
    {
        var shape = TrainedShapes.Of(Shapes.Scout);
        var one = Planned(shape, 1, s_options with { PerDeviceBatchSize = 16 }, 4L << 40).Bytes[0];
        var sixteen = Planned(shape, 16, s_options, 1L << 40).Bytes;
        var elements = shape.TrunkElements + (16 * shape.ExpertElements);
        Assert.Equal(elements * 4, one.Weights);
        Assert.Equal(elements * 8, one.Moments);
        Assert.Equal(one.State, sixteen.Sum(b => b.State));
        Assert.All(sixteen, b => Assert.InRange(b.State, one.State / 16 - 10_000, one.State / 16 + 10_000));
        Assert.All(sixteen, b => Assert.Equal(202_048L * 5120 * 6 + 5120 * 6, b.Gathered));
        Assert.All(sixteen, b => Assert.Equal((64L * 5120 * 49 * 2) + (64L * 202_048 * 8), b.Activations));
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_the_bytes_that_are_missing()
    {
        var refused = Refused(TrainedShapes.Of(Shapes.Maverick), 16, s_options, 80 * GiB);
        Assert.Equal(refused.Needs.Sum(n => n.NeededBytes - n.AvailableBytes), refused.MissingBytes);
        Assert.Contains($"({refused.MissingBytes} bytes) are missing", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("\"llama4-17b-128e\" does not fit on 16 devices", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("\"n1\" cuda:0 would need", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Bf16_state_of_Scout_fits_where_fp32_does_not()
    {
        var shape = TrainedShapes.Of(Shapes.Scout);
        Refused(shape, 16, s_options, 80 * GiB);
        Planned(shape, 16, s_options with { WeightBytes = 2, MomentBytes = 2, GradientBytes = 2 }, 80 * GiB);
    }

    [Fact]
    public void More_trunk_devices_than_pieces_are_refused() =>
        Assert.Contains("in 2 pieces", Refused(TrainedShapes.Small(), 3, s_options with { Pieces = 2 }).Reason, StringComparison.Ordinal);

    [Fact]
    public void No_devices_are_refused() => Assert.Contains("no device", Refused(TrainedShapes.Small(), 0, s_options).Reason, StringComparison.Ordinal);

    [Fact]
    public void Only_what_a_lost_device_had_moves()
    {
        var before = Planned(TrainedShapes.Small(), Nodes(4, GiB), s_options).Plan;
        var after = Assert.IsType<TrainingPlanResult.Planned>(TrainingPlanRules.Plan(
            TrainedShapes.Small(), [.. Nodes(4, GiB).RemoveAt(1)], s_options, before, new(1, 2))).Plan;
        var moves = TrainingPlanRules.Moves(before, after);
        Assert.All(moves, m => Assert.Equal(Node(2), m.From.Node));
        Assert.Equal(60, moves.Count(m => m.Part == TrainingPart.Piece));
        Assert.Equal(1, moves.Count(m => m.Part == TrainingPart.ExpertShard));
        Assert.Equal(1, moves.Count(m => m.Part == TrainingPart.Slot));
        Sequences.Equal([80, 80, 80], after.Devices.Select(d => after.PiecesOf(d).Count()));
    }

    private static TrainingPlanResult.Planned Planned(TrainedShape shape, int devices, TrainingPlanOptions options, long bytes = GiB) =>
        Planned(shape, Gpus(devices, bytes), options);

    private static TrainingPlanResult.Planned Planned(TrainedShape shape, System.Collections.Immutable.ImmutableArray<PlannedDevice> devices, TrainingPlanOptions options) =>
        TrainingPlanRules.Plan(shape, devices, options, null, new(1, 1)) switch
        {
            TrainingPlanResult.Planned planned => planned,
            var refused => throw new InvalidOperationException($"{refused}"),
        };

    private static TrainingPlanResult.Refused Refused(TrainedShape shape, int devices, TrainingPlanOptions options, long bytes = GiB) =>
        Assert.IsType<TrainingPlanResult.Refused>(TrainingPlanRules.Plan(shape, Gpus(devices, bytes), options, null, new(1, 1)));
}
