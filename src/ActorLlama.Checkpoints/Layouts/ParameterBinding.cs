using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Finds every parameter of a config in the weight files and checks dtype and shape: all there, none unknown.</summary>
internal static class ParameterBinding
{
    private const string OneVersion = "Use config.json and weights of one checkpoint.";

    /// <summary>One bound tensor per parameter, in the table's order, then those of the vision tower where there is one.</summary>
    public static ImmutableArray<BoundTensor> Bind(LlamaConfig config, TensorLayout layout)
    {
        var parameters = ParameterTable.Of(config).Parameters;
        var vision = layout.Keys.Any(layout.IsVision) ? VisionTable.Names(layout.VisionBlocks) : [];
        var text = parameters.Select(parameter => layout.Find(parameter.Name)).ToList();
        var seen = vision.Select(name => (Name: name, View: layout.Find(name))).ToList();
        RequireAll(
            [.. parameters.Zip(text, (parameter, view) => (parameter.Name, view)), .. seen.Select(found => (found.Name, found.View))], layout);
        RefuseUnknown(parameters.Length, config, layout);
        return
        [
            .. parameters.Zip(text, (parameter, view) => Bind(parameter, view!, layout)),
            .. seen.Select(found => new BoundTensor(found.Name, found.View!, IsExperts: false)),
        ];
    }

    private static void RequireAll(IEnumerable<(string Name, TensorView? View)> found, TensorLayout layout)
    {
        var missing = found.Where(pair => pair.View is null).Select(pair => pair.Name).ToList();
        if (missing.Count > 0)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(layout.KeyOf(missing[0]))}{AndOthers(missing.Count)} is missing from {FilesOf(layout)}; "
                + $"the config asks for it. {OneVersion}");
    }

    private static void RefuseUnknown(int parameters, LlamaConfig config, TensorLayout layout)
    {
        // Files of models with tied embeddings may repeat the embedding as head; the config decides.
        if (config.TieEmbeddings) layout.Used.Add(layout.KeyOf(ParameterNames.LmHead));
        var unknown = layout.Keys.Where(key => !layout.Used.Contains(key)).Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(unknown[0])}{AndOthers(unknown.Count)} in {Quote(layout.PathOf(unknown[0]))} "
                + $"is none of the {parameters} text parameters that the config asks for. {OneVersion}");
    }

    private static BoundTensor Bind(Parameter parameter, TensorView view, TensorLayout layout)
    {
        if (view.Shape.AsSpan().SequenceEqual(parameter.Shape.AsSpan()))
            return new BoundTensor(parameter.Name, view, parameter.Group == ParameterGroup.Experts, layout.PanelsOf(parameter.Name));
        throw new InvalidDataException(
            $"Checkpoint: tensor {Quote(view.Name)} in {Quote(layout.PathOf(view.Name))} has shape {Quote(view.Shape)}, "
            + $"by the config it is {Quote(parameter.Shape)}. {OneVersion}");
    }

    private static string AndOthers(int count) => count > 1 ? $" (and {count - 1} more)" : "";

    private static string FilesOf(TensorLayout layout)
    {
        var files = layout.Files.ToList();
        return files.Count == 1 ? Quote(files[0].Path) : $"the {files.Count} shards beside {Quote(files[0].Path)}";
    }
}
