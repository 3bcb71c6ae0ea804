using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Finds every parameter of a config in the weight files and checks dtype and shape: all there, none unknown.</summary>
internal static class ParameterBinding
{
    private const string OneVersion = "Use config.json and weights of one checkpoint.";

    /// <summary>One bound tensor per parameter, in the table's order.</summary>
    public static ImmutableArray<BoundTensor> Bind(LlamaConfig config, HuggingFaceNames names, ShardSet shards)
    {
        var parameters = ParameterTable.Of(config).Parameters;
        var keys = parameters.Select(parameter => names.KeyOf(parameter.Name)).ToList();
        RequireAll(keys, shards);
        RefuseUnknown(keys, config, names, shards);
        return [.. parameters.Zip(keys, (parameter, key) => Bind(parameter, shards.Find(key)!.Value))];
    }

    private static void RequireAll(IEnumerable<string> keys, ShardSet shards)
    {
        var missing = keys.Where(key => shards.Find(key) is null).ToList();
        if (missing.Count > 0)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(missing[0])}{AndOthers(missing.Count)} is missing from {FilesOf(shards)}; "
                + $"the config asks for it. {OneVersion}");
    }

    private static void RefuseUnknown(IEnumerable<string> wanted, LlamaConfig config, HuggingFaceNames names, ShardSet shards)
    {
        var known = wanted.ToHashSet(StringComparer.Ordinal);
        // Files of models with tied embeddings may repeat the embedding as head; the config decides.
        if (config.TieEmbeddings) known.Add(names.KeyOf(ParameterNames.LmHead));
        var unknown = shards.Keys.Where(key => !known.Contains(key) && !names.IsVision(key)).Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(unknown[0])}{AndOthers(unknown.Count)} in {Quote(shards.Find(unknown[0])!.Value.File.Path)} "
                + $"is none of the {known.Count} text parameters that the config asks for. {OneVersion}");
    }

    private static BoundTensor Bind(Parameter parameter, (SafetensorsFile File, SafetensorsEntry Entry) found)
    {
        var (file, entry) = found;
        var where = $"Checkpoint: tensor {Quote(entry.Name)} in {Quote(file.Path)}";
        if (!entry.Shape.AsSpan().SequenceEqual(parameter.Shape.AsSpan()))
            throw new InvalidDataException(
                $"{where} has shape {Quote(entry.Shape)}, by the config it is {Quote(parameter.Shape)}. {OneVersion}");
        var type = entry.Type switch
        {
            SafetensorsType.BF16 => ElementType.BFloat16,
            SafetensorsType.F32 => ElementType.Float32,
            _ => throw new InvalidDataException(
                $"{where} has dtype {Quote(entry.Type)}; weights are BF16 or F32. Use the bfloat16 release of the checkpoint."),
        };
        var elementBytes = type == ElementType.Float32 ? 4 : 2;
        if (entry.Offset % elementBytes != 0)
            throw new InvalidDataException(
                $"{where} begins at byte {entry.Offset}, no multiple of its element's {elementBytes} bytes, "
                + "so it cannot be read in place. Save the file again with a current writer.");
        return new BoundTensor(parameter, file, entry, type);
    }

    private static string AndOthers(int count) => count > 1 ? $" (and {count - 1} more)" : "";

    private static string FilesOf(ShardSet shards) =>
        shards.Files.Length == 1 ? Quote(shards.Files[0].Path) : $"the {shards.Files.Length} shards beside {Quote(shards.Files[0].Path)}";
}
