using System.ComponentModel;
using System.IO.Enumeration;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
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
        if (settings.Pattern is { } pattern && listed.Count == 0)
            throw new InvalidDataException($"Inspect: no tensor of \"{settings.Path}\" matches \"{pattern}\"; there are {inspection.Tensors.Length}, as in \"{inspection.Tensors[0].Name}\".");
        var rows = listed.Select(tensor => (Tensor: tensor, Stats: settings.Stats ? inspection.Statistics(tensor.Name, cancellationToken) : null));
        if (settings.Json) JsonLine.Write(new { checkpoint = Summary(inspection), tensors = isList ? rows.Select(row => Row(row.Tensor, row.Stats)).ToList() : null });
        else
        {
            if (settings.Pattern is null && inspection.Checkpoint is { } checkpoint)
                foreach (var line in InspectionText.Summary(checkpoint, inspection.Tensors)) Console.Out.WriteLine(line);
            foreach (var (tensor, stats) in rows) Console.Out.WriteLine(InspectionText.Line(tensor, settings.Stats, stats));
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
        experts = ExpertTable.Of(checkpoint.Config, inspection.Tensors).Select(row => new
        {
            layer = row.Layer,
            experts = row.Experts,
            dtype = row.Dtype,
            parameters_per_expert = row.Parameters,
            bytes_per_expert = row.Bytes,
        }),
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
        rope_scaling = config.RopeScaling is not { } scaling ? null : new
        {
            factor = scaling.Factor,
            low_freq_factor = scaling.LowFreqFactor,
            high_freq_factor = scaling.HighFreqFactor,
            original_max_positions = scaling.OriginalMaxPositions,
        },
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
}
