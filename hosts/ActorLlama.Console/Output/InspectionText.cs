using System.Globalization;
using ActorLlama.Checkpoints;
using ActorLlama.Planning.Placement;

namespace ActorLlama.Cli;

/// <summary>What <c>inspect</c> shows a person.</summary>
internal static class InspectionText
{
    /// <summary>A checkpoint: layout, state of checksums, config, parameters by group, dtypes, experts by layer, files, warnings.</summary>
    public static IEnumerable<string> Summary(Checkpoint checkpoint, IReadOnlyCollection<TensorSummary> tensors)
    {
        var config = checkpoint.Config;
        yield return $"{checkpoint.Path}: layout {checkpoint.Layout}{(checkpoint.HasPanels ? " in panels for the CPU kernels" : "")}, digest {checkpoint.Digest}";
        yield return CheckpointChecksum.SizesAgree(checkpoint.Path) switch
        {
            null => "checksums: none recorded",
            true => "checksums: recorded, sizes agree",
            false => "checksums: recorded, but sizes differ or files are missing",
        };
        yield return $"{config.Layers} layers, hidden {config.HiddenSize}, {config.QueryHeads} query and {config.KvHeads} kv heads of {config.HeadDim}, "
            + $"vocabulary {config.VocabSize}, {config.MaxPositions} positions";
        yield return $"parameters: {Number(tensors.Sum(tensor => tensor.Elements))}";
        foreach (var group in tensors.GroupBy(tensor => tensor.Group)) yield return $"  {group.Key,-12} {Number(group.Sum(tensor => tensor.Elements)),16}";
        foreach (var type in tensors.GroupBy(tensor => tensor.Type)) yield return $"{type.Key}: {type.Count()} tensors, {ByteText.Of(type.Sum(tensor => tensor.Bytes))}";
        foreach (var line in Experts(ExpertTable.Of(checkpoint.Config, tensors))) yield return line;
        foreach (var file in checkpoint.WeightFiles) yield return $"{Path.GetFileName(file)}  {ByteText.Of(new FileInfo(file).Length)}";
        foreach (var warning in checkpoint.Warnings) yield return $"warning: {warning}";
    }

    /// <summary>One tensor, with its statistics where they were asked for and its elements have any.</summary>
    public static string Line(TensorSummary tensor, bool isWithStats, TensorStatistics? stats)
    {
        var line = $"{tensor.Name}  {tensor.Type} [{string.Join(',', tensor.Shape)}]  {ByteText.Of(tensor.Bytes)}";
        return stats is null
            ? line + (isWithStats ? "  no statistics of this type" : "")
            : string.Create(CultureInfo.InvariantCulture, $"{line}  min {stats.Min:g6}  max {stats.Max:g6}  mean {stats.Mean:g6}  NaN {stats.NaN}");
    }

    private static IEnumerable<string> Experts(IReadOnlyList<ExpertTable.Row> rows)
    {
        if (rows.Count == 0) yield break;
        yield return $"{"layer",8} {"experts",8} {"dtype",6} {"of parameters",16} {"each",12} {"all",12}";
        foreach (var row in rows)
            yield return $"{row.Layer,8} {row.Experts,8} {row.Dtype,6} {Number(row.Parameters),16} {ByteText.Of(row.Bytes),12} {ByteText.Of(row.Bytes * row.Experts),12}";
    }

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
