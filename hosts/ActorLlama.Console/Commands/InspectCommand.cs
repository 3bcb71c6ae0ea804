using System.ComponentModel;
using System.Globalization;
using System.IO.Enumeration;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Planning.Placement;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama inspect</c>: what a checkpoint or a weight file holds.</summary>
internal sealed class InspectCommand : Command<InspectCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<PATH>")]
        [Description("A checkpoint folder, a .safetensors or a .pth file.")]
        public string Path { get; init; } = "";

        [CommandOption("--tensors <PATTERN>")]
        [Description("List tensors whose names match, as in \"text.layers.0.*\".")]
        public string? Pattern { get; init; }

        [CommandOption("--stats")]
        [Description("Read the listed tensors: least, largest and mean value, number of NaN.")]
        public bool Stats { get; init; }

        [CommandOption("--json")]
        [Description("Print one line of JSON.")]
        public bool Json { get; init; }
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var inspection = WeightInspection.Open(settings.Path);
        var isList = settings.Pattern is not null || settings.Stats || inspection.Checkpoint is null;
        var listed = isList
            ? inspection.Tensors.Where(tensor => FileSystemName.MatchesSimpleExpression(settings.Pattern ?? "*", tensor.Name, ignoreCase: false)).ToList()
            : [];
        var rows = listed.Select(tensor => (Tensor: tensor, Stats: settings.Stats ? inspection.Statistics(tensor.Name, cancellationToken) : null));
        if (settings.Json) JsonLine.Write(new { checkpoint = Summary(inspection), tensors = isList ? rows.Select(row => Row(row.Tensor, row.Stats)).ToList() : null });
        else
        {
            if (settings.Pattern is null) WriteSummary(inspection);
            foreach (var (tensor, stats) in rows) Console.Out.WriteLine(Line(tensor, stats));
        }
        return 0;
    }

    private static object? Summary(WeightInspection inspection) => inspection.Checkpoint is not { } checkpoint ? null : new
    {
        path = checkpoint.Path,
        layout = checkpoint.Layout,
        panels = checkpoint.HasPanels,
        digest = checkpoint.Digest,
        sizes_agree = CheckpointChecksum.SizesAgree(checkpoint.Path),
        has_vision = checkpoint.HasVision,
        has_tokenizer = checkpoint.HasTokenizer,
        instruct = checkpoint.IsInstruct,
        files = checkpoint.WeightFiles.ToDictionary(path => System.IO.Path.GetFileName(path), path => new FileInfo(path).Length),
        config = Config(checkpoint.Config),
        parameters = inspection.Tensors.Sum(tensor => tensor.Elements),
        groups = inspection.Tensors.GroupBy(tensor => tensor.Group).ToDictionary(group => group.Key, group => group.Sum(tensor => tensor.Elements)),
        dtypes = inspection.Tensors.GroupBy(tensor => tensor.Type).ToDictionary(group => group.Key, group => group.Sum(tensor => tensor.Bytes)),
        experts = Experts(checkpoint.Config),
        warnings = checkpoint.Warnings,
    };

    private static object Config(LlamaConfig config) => new
    {
        layers = config.Layers,
        hidden = config.HiddenSize,
        query_heads = config.QueryHeads,
        kv_heads = config.KvHeads,
        head_dim = config.HeadDim,
        vocabulary = config.VocabSize,
        max_positions = config.MaxPositions,
        attention_chunk = config.AttentionChunk,
        expert_hidden = config.ExpertHidden,
        dense_hidden = config.DenseHidden,
        experts = config.Experts,
        experts_per_token = config.ExpertsPerToken,
        qk_norm = config.QkNorm,
        rope_theta = config.RopeTheta,
        rope_scaling = config.RopeScaling,
    };

    /// <summary>Per MoE layer: experts and the bytes of one at two bytes an element are what placement asks for.</summary>
    private static object Experts(LlamaConfig config) => new
    {
        moe_layers = config.IsMoe.Select((isMoe, layer) => (isMoe, layer)).Where(pair => pair.isMoe).Select(pair => pair.layer).ToArray(),
        per_layer = config.Experts,
        parameters_per_expert = 3L * config.HiddenSize * config.ExpertHidden,
    };

    private static object Row(TensorSummary tensor, TensorStatistics? stats) => new
    {
        name = tensor.Name,
        key = tensor.Key,
        dtype = tensor.Type,
        shape = tensor.Shape,
        bytes = tensor.Bytes,
        // JSON has no infinity: a tensor without numbers has none of these.
        min = stats is null || !float.IsFinite(stats.Min) ? (float?)null : stats.Min,
        max = stats is null || !float.IsFinite(stats.Max) ? (float?)null : stats.Max,
        mean = stats is null || !double.IsFinite(stats.Mean) ? (double?)null : stats.Mean,
        nan = stats?.NaN,
    };

    private static void WriteSummary(WeightInspection inspection)
    {
        if (inspection.Checkpoint is not { } checkpoint) return;
        var (config, output) = (checkpoint.Config, Console.Out);
        output.WriteLine($"{checkpoint.Path}: layout {checkpoint.Layout}{(checkpoint.HasPanels ? ", matrices in panels of the CPU kernels" : "")}, digest {checkpoint.Digest}");
        output.WriteLine(CheckpointChecksum.SizesAgree(checkpoint.Path) switch
        {
            null => "checksums: none recorded",
            true => "checksums: recorded, sizes agree",
            false => "checksums: recorded, but sizes differ or files are missing",
        });
        output.WriteLine(
            $"{config.Layers} layers, hidden {config.HiddenSize}, {config.QueryHeads} query and {config.KvHeads} kv heads of {config.HeadDim}, "
            + $"vocabulary {config.VocabSize}, {config.MaxPositions} positions");
        var moe = config.IsMoe.Select((isMoe, layer) => (isMoe, layer)).Where(pair => pair.isMoe).Select(pair => pair.layer).ToList();
        if (moe.Count > 0)
            output.WriteLine(
                $"experts: {config.Experts} of {Number(3L * config.HiddenSize * config.ExpertHidden)} parameters in each of {moe.Count} layers ({string.Join(' ', moe)})");
        output.WriteLine($"parameters: {Number(inspection.Tensors.Sum(tensor => tensor.Elements))}");
        foreach (var group in inspection.Tensors.GroupBy(tensor => tensor.Group)) output.WriteLine($"  {group.Key,-12} {Number(group.Sum(tensor => tensor.Elements)),16}");
        foreach (var type in inspection.Tensors.GroupBy(tensor => tensor.Type))
            output.WriteLine($"{type.Key}: {type.Count()} tensors, {ByteText.Of(type.Sum(tensor => tensor.Bytes))}");
        foreach (var file in checkpoint.WeightFiles) output.WriteLine($"{System.IO.Path.GetFileName(file)}  {ByteText.Of(new FileInfo(file).Length)}");
        foreach (var warning in checkpoint.Warnings) output.WriteLine($"warning: {warning}");
    }

    private static string Line(TensorSummary tensor, TensorStatistics? stats)
    {
        var line = $"{tensor.Name}  {tensor.Type} [{string.Join(',', tensor.Shape)}]  {ByteText.Of(tensor.Bytes)}";
        return stats is null
            ? line
            : string.Create(CultureInfo.InvariantCulture, $"{line}  min {stats.Min:g6}  max {stats.Max:g6}  mean {stats.Mean:g6}  NaN {stats.NaN}");
    }

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
