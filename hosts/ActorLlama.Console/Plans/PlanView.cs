using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>A plan with its figures, as text and as plain values.</summary>
internal sealed record PlanView(
    ModelShape Shape, string Dtype, PlanOptions Options, ImmutableArray<PlannedDevice> Devices, PlacementPlan Plan, PlanReport Report)
{
    private long WeightBytes => Report.Devices.Sum(d => d.StageBytes + d.ShardBytes);

    private int StagesPerPipeline => Plan.Stages.Length / Options.Pipelines;

    public void WriteText(TextWriter output)
    {
        var nodes = Report.Devices.Select(d => d.NodeName).Distinct().Count();
        output.WriteLine($"{Shape.Name}, activations {Dtype}: {ByteText.Of(WeightBytes)} of weights on {Counted(Report.Devices.Length, "device")} of {Counted(nodes, "node")}");
        output.WriteLine(
            $"{Counted(Options.Pipelines, "pipeline")} of {Counted(StagesPerPipeline, "stage")}, {Counted(Plan.ExpertShards, "expert shard")}"
            + $"{(Options.Replicas > 1 ? $" of {Options.Replicas} replicas" : "")}");
        output.WriteLine();
        output.WriteLine(Row("node", "device", "weights", "KV cache", "free", "holds"));
        foreach (var d in Report.Devices)
            output.WriteLine(Row(
                d.NodeName, d.Device.Name, ByteText.Of(d.StageBytes + d.ShardBytes), ByteText.Of(d.KvBytes), ByteText.Of(d.FreeBytes),
                string.Join(", ", PlacementText.Of(Plan.Stages.Where(s => s.Device == d.Device), Plan.Shards.Where(s => s.Device == d.Device)))));
        output.WriteLine();
        output.WriteLine(
            $"KV cache: {Options.KvPositions} tokens reserved for {Counted(Options.KvSequences, "sequence")} of each pipeline; "
            + $"there is room for {Report.KvRoomPositions}");
        output.WriteLine(
            $"A decoded token: {ByteText.Of((long)Math.Round(Report.WireBytesPerToken))} in {Report.WireMessagesPerToken:0.#} messages between nodes");
        foreach (var loss in Report.Losses) output.WriteLine($"Loss of {loss.NodeName}: {Describe(loss)}");
    }

    public object ToJson() => new
    {
        fits = true,
        model = Shape.Name,
        dtype = Dtype,
        weight_bytes = WeightBytes,
        pipelines = Options.Pipelines,
        stages_per_pipeline = StagesPerPipeline,
        expert_shards = Plan.ExpertShards,
        replicas = Options.Replicas,
        devices = Report.Devices.Select(d => new
        {
            node = d.NodeName,
            device = d.Device.Name,
            memory_bytes = d.MemoryBytes,
            stage_bytes = d.StageBytes,
            shard_bytes = d.ShardBytes,
            kv_bytes = d.KvBytes,
            free_bytes = d.FreeBytes,
            stages = Plan.Stages.Where(s => s.Device == d.Device).Select(s => new
            {
                pipeline = s.Pipeline,
                index = s.Index,
                first_layer = s.FirstLayer,
                layers = s.Layers,
                weight_bytes = s.WeightBytes,
                kv_bytes = s.KvBytes,
            }),
            shards = Plan.Shards.Where(s => s.Device == d.Device).Select(s => new
            {
                shard = s.Shard,
                replica = s.Replica,
                first_expert = s.FirstExpert,
                experts = s.Experts,
                weight_bytes = s.WeightBytes,
            }),
        }),
        kv_positions_reserved = Options.KvPositions,
        kv_room_tokens_per_pipeline = Report.KvRoomPositions,
        kv_room_tokens = Report.KvRoomPositions * Options.Pipelines,
        wire_bytes_per_token = Report.WireBytesPerToken,
        wire_messages_per_token = Report.WireMessagesPerToken,
        losses = Report.Losses.Select(l => new
        {
            node = l.NodeName,
            survives = l.Survives,
            pauses = l.Pauses,
            reload_bytes = l.ReloadBytes,
            reason = l.Reason,
        }),
    };

    /// <summary>What does not fit, as plain values.</summary>
    public static object RefusalToJson(ModelShape shape, string dtype, PlacementResult.DoesNotFit refused, ImmutableArray<string> help) => new
    {
        fits = false,
        model = shape.Name,
        dtype,
        reason = refused.Reason,
        missing_bytes = refused.MissingBytes,
        missing_gib = Math.Round(refused.MissingBytes / (double)(1L << 30), 3),
        devices = refused.Needs.Select(n => new { node = n.NodeName, device = n.Device.Name, memory_bytes = n.AvailableBytes, needed_bytes = n.NeededBytes }),
        would_help = help,
    };

    private static string Describe(NodeLoss loss) => (loss.Survives, loss.Pauses) switch
    {
        (false, _) => $"not survived. {loss.Reason}",
        (true, true) => $"survived after a pause, {ByteText.Of(loss.ReloadBytes)} are loaded again",
        (true, false) => $"survived without a pause, {ByteText.Of(loss.ReloadBytes)} are loaded again",
    };

    private static string Row(string node, string device, string weights, string kv, string free, string holds) =>
        $"{node,-8}{device,-8}{weights,10}{kv,11}{free,11}  {holds}".TrimEnd();

    private static string Counted(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";
}
