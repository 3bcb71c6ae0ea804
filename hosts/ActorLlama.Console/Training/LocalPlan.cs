using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Training.Runs;

namespace ActorLlama.Cli;

/// <summary>Whether a run fits into this process, on one device; and where it does not, what it would need.</summary>
internal static class LocalPlan
{
    private const string Device = "cpu:0";
    private const long LentDevice = 80L << 30;
    private const int MostDevices = 4096;

    /// <summary>Bytes in use and at hand here.</summary>
    public static ImmutableArray<(string Name, long Used, long Total)> Memory() => [(Device, Environment.WorkingSet, MachineBytes)];

    private static long MachineBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// Sequences of the global batch. Throws <see cref="InvalidDataException"/> where the flags do not go together; where only memory is missing, the plan goes to
    /// standard output before.
    /// </summary>
    /// <param name="flags">What was asked for.</param>
    /// <param name="start">What the run begins with: its global batch is that of the run that wrote it.</param>
    /// <param name="devices">How many there are, on processes of this machine.</param>
    public static int SlotsOrRefuse(RunFlags flags, RunStart start, int devices = 1)
    {
        var name = flags.Text("model_name") is var given && given != "default" ? given : start.Checkpoint!;
        var shape = TrainedShapes.Of(ModelShapes.Of(name, start.Config, ElementType.BFloat16, ActivationType.BFloat16), start.Config);
        var options = OptionsOf(flags, start);
        switch (Plan(shape, options, devices, MachineBytes / devices))
        {
            case TrainingPlanResult.Planned { Plan: var plan }:
                return plan.Slots.Length;
            case TrainingPlanResult.Refused refused:
                if (!refused.Needs.IsEmpty) WriteNeeds(Console.Out, shape, options, refused);
                throw new InvalidDataException(refused.Reason);
            default:
                throw new InvalidOperationException("Training plan: neither planned nor refused.");
        }
    }

    internal static void WriteNeeds(TextWriter output, TrainedShape shape, TrainingPlanOptions options, TrainingPlanResult.Refused refused)
    {
        var elements = shape.TrunkElements + shape.Experts * shape.ExpertElements;
        output.WriteLine(
            $"{shape.Model.Name}: {ByteText.Of(elements * options.WeightBytes)} of weights, {ByteText.Of(elements * options.GradientBytes)} of gradients, "
            + $"{ByteText.Of(elements * 2 * options.MomentBytes)} of moments");
        foreach (var need in refused.Needs)
            output.WriteLine($"{need.NodeName} {need.Device.Name}: needs {ByteText.Of(need.NeededBytes)}, has {ByteText.Of(need.AvailableBytes)}, {ByteText.Of(need.NeededBytes - need.AvailableBytes)} are missing");
        for (var devices = 1; devices <= MostDevices; devices *= 2)
        {
            // Shared out over all of them, as many pieces as devices at least.
            var shared = options with { IciFsdpParallelism = -1, IciExpertParallelism = 1, Pieces = Math.Max(options.Pieces, devices) };
            if (Plan(shape, shared, devices, LentDevice) is not TrainingPlanResult.Planned { Bytes: var bytes }) continue;
            output.WriteLine($"it would fit on {devices} devices of {ByteText.Of(LentDevice)}, each holding up to {ByteText.Of(bytes.Max(device => device.Total))}");
            return;
        }
    }

    /// <summary>What the plan is asked for.</summary>
    public static TrainingPlanOptions OptionsOf(RunFlags flags, RunStart start) => new()
    {
        Slots = start.Record?.Slots,
        IciFsdpParallelism = flags.Whole("ici_fsdp_parallelism"),
        IciExpertParallelism = flags.Whole("ici_expert_parallelism"),
        PerDeviceBatchSize = flags.Number("per_device_batch_size"),
        GradientAccumulationSteps = flags.Whole("gradient_accumulation_steps"),
        MaxTargetLength = flags.Whole("max_target_length"),
        WeightBytes = BytesOf(flags.Text("weight_dtype")),
        GradientBytes = BytesOf(flags.Text("grad_dtype")),
        MomentBytes = BytesOf(flags.Text("mu_dtype") is { Length: > 0 } type ? type : flags.Text("weight_dtype")),
        ComputeBytes = BytesOf(flags.Text("dtype")),
    };

    private static int BytesOf(string type) => type == "float32" ? 4 : 2;

    private static TrainingPlanResult Plan(TrainedShape shape, TrainingPlanOptions options, int devices, long bytes)
    {
        ImmutableArray<PlannedDevice> planned = [.. Enumerable.Range(0, devices).Select(i =>
            new PlannedDevice(new DeviceId(new NodeId($"node-{i + 1}", i + 1), devices == 1 ? Device : "cuda:0"), $"node-{i + 1}", $"node-{i + 1}", bytes, Trunk: true, Experts: true))];
        return TrainingPlanRules.Plan(shape, planned, options, null, new TrainingPlanId(1, 1));
    }
}
