using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>What a folder holds, found out from its files: config and weights in the layout they are in.</summary>
/// <param name="ConfigJson">Text of <c>config.json</c>, or the one that <c>params.json</c> amounts to.</param>
/// <param name="Reading">What it says.</param>
/// <param name="Tensors">The weights.</param>
internal sealed record OpenedLayout(string ConfigJson, ConfigReading Reading, TensorLayout Tensors)
{
    private const string ScannedKey = ScanBlocks.Prefix;

    /// <summary>Opens a folder in any layout. The caller disposes the weights.</summary>
    public static OpenedLayout Open(string path)
    {
        var isMeta = MetaShards.AreIn(path);
        var hasSafetensors = File.Exists(Path.Combine(path, ShardSet.SingleFile)) || File.Exists(Path.Combine(path, ShardSet.IndexFile));
        if (!isMeta && !hasSafetensors && Directory.EnumerateFiles(path, "*.gguf").FirstOrDefault() is { } exported)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(Path.GetFileName(exported))} in {Quote(path)} is for llama.cpp; this program writes GGUF files and reads none. Name the checkpoint that it was made from.");
        if (isMeta && hasSafetensors)
            throw new InvalidDataException(
                $"Checkpoint: folder {Quote(path)} has both {Quote(MetaShards.NameOf(0))} and safetensors; it holds one checkpoint. Move one of them away.");
        var opened = isMeta || (!hasSafetensors && File.Exists(Path.Combine(path, MetaShards.ParamsFile))) ? OpenMeta(path) : OpenSafetensors(path);
        try
        {
            RequireAsRecorded(path, opened.Tensors);
            return opened;
        }
        catch
        {
            opened.Tensors.Dispose();
            throw;
        }
    }

    private static OpenedLayout OpenMeta(string path)
    {
        var (config, parameters) = (Path.Combine(path, CheckpointDirectory.ConfigFile), Path.Combine(path, MetaShards.ParamsFile));
        if (!MetaShards.AreIn(path))
            throw new FileNotFoundException(
                $"Checkpoint: folder {Quote(path)} has {Quote(MetaShards.ParamsFile)} but no {Quote(MetaShards.NameOf(0))}. Download the weights.", Path.Combine(path, MetaShards.NameOf(0)));
        var isOurs = File.Exists(config);
        if (!isOurs && !File.Exists(parameters))
            throw new FileNotFoundException(
                $"Checkpoint: folder {Quote(path)} has {Quote(MetaShards.NameOf(0))} but neither {Quote(MetaShards.ParamsFile)} nor "
                + $"{Quote(CheckpointDirectory.ConfigFile)}. Download it.", parameters);
        var shards = MetaShards.Open(path);
        try
        {
            var json = isOurs
                ? JsonFile.ReadText(config)
                : MetaParams.ToConfigJson(parameters, () => shards.Find("tok_embeddings.weight")?.Sum(view => view.Shape[0]) ?? 0);
            var reading = LlamaConfigReader.Read(json, isOurs ? config : parameters);
            return new OpenedLayout(json, reading, new MetaLayout(shards, reading.Config, json));
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    private static OpenedLayout OpenSafetensors(string path)
    {
        var file = Path.Combine(path, CheckpointDirectory.ConfigFile);
        var json = JsonFile.ReadText(file);
        var reading = LlamaConfigReader.Read(json, file);
        var shards = ShardSet.Open(path);
        try
        {
            RequirePanelsOfThisProgram(path, shards);
        }
        catch
        {
            shards.Dispose();
            throw;
        }
        return new OpenedLayout(json, reading, shards.Keys switch
        {
            var keys when keys.Any(key => key.StartsWith(ScannedKey, StringComparison.Ordinal)) => new ScannedLayout(shards, new ScanBlocks(reading.Config)),
            var keys when keys.Any(key => key.StartsWith("text.", StringComparison.Ordinal)) => new UnscannedLayout(shards, reading.Config),
            _ => new HuggingFaceLayout(shards, reading.IsMultimodal),
        });
    }

    private static void RequirePanelsOfThisProgram(string path, ShardSet shards)
    {
        if (shards.Keys.FirstOrDefault(key => key.EndsWith(PanelStorage.Suffix, StringComparison.Ordinal)) is not { } packed) return;
        var found = Manifest.PanelsOf(path);
        if (found == Manifest.OwnPanels) return;
        throw new InvalidDataException(
            $"Checkpoint: tensor {Quote(packed)} in {Quote(path)} lies in panels of kernels {Quote(found ?? "unknown")}, by {Quote(Manifest.FileName)}; this program reads "
            + $"{Quote(Manifest.OwnPanels)}. Convert the checkpoint's source again with this program.");
    }

    private static void RequireAsRecorded(string path, TensorLayout tensors)
    {
        if (Manifest.LayoutOf(path) is { } recorded && recorded != tensors.Name)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(Manifest.FileName)} in {Quote(path)} says that the layout is {Quote(recorded)}, but the weights are in layout "
                + $"{Quote(tensors.Name)}. Use manifest and weights of one checkpoint.");
    }
}
