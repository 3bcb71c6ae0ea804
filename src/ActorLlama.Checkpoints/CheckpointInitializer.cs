using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>Writes checkpoints of random weights (spec 7.3): any shape, the same bytes for the same seed.</summary>
public static class CheckpointInitializer
{
    /// <summary>
    /// Writes a text-only bfloat16 checkpoint in Hugging Face's layout. The folder appears only when it is whole; nothing stays behind
    /// when writing fails or is cancelled. Memory use does not depend on the shape.
    /// </summary>
    /// <param name="shapeConfigJson">The shape: text of a <c>config.json</c>, flat or multimodal (its text part is taken).</param>
    /// <param name="seed">Weights depend on it, on names and on shapes, on nothing else.</param>
    /// <param name="outDir">The folder to make; it does not exist yet or is empty.</param>
    /// <param name="shapeName">Name of the shape's file, for messages.</param>
    /// <param name="shardBytes">Largest shard; null for the writer's default.</param>
    /// <param name="threads">Threads that write; null for one per processor.</param>
    /// <param name="progress">Called from writing threads, by one at a time.</param>
    /// <param name="cancellation">Stops the write.</param>
    /// <exception cref="InvalidDataException">The shape is invalid, the folder is not empty, or the disk has no room.</exception>
    public static void Write(
        string shapeConfigJson,
        ulong seed,
        string outDir,
        string shapeName = "config.json",
        long? shardBytes = null,
        int? threads = null,
        Action<WriteProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var target = TargetFolder.PathOf(outDir);
        var config = LlamaConfigReader.Read(shapeConfigJson, shapeName).Config;
        TargetFolder.RequireFree(target, outDir);
        var tensors = TensorsOf(config, seed);
        var parent = Path.GetDirectoryName(target) ?? target;
        var temporary = Path.Combine(parent, $".{Path.GetFileName(target)}-{Guid.NewGuid():n}{DurableFile.TemporarySuffix}");
        TargetFolder.Make(parent, outDir);
        TargetFolder.RequireRoom(parent, outDir, tensors.Sum(tensor => tensor.Bytes));
        TargetFolder.Make(temporary, outDir);
        try
        {
            var writer = new SafetensorsWriter(temporary)
            {
                ShardBytes = shardBytes ?? SafetensorsWriter.DefaultShardBytes,
                Threads = threads ?? Environment.ProcessorCount,
                Progress = progress,
            };
            writer.Write(tensors, cancellation);
            DurableFile.WriteText(Path.Combine(temporary, CheckpointDirectory.ConfigFile), FlatConfig.Of(shapeConfigJson));
            // What cannot be opened is not handed out.
            CheckpointDirectory.Open(temporary).Dispose();
            if (Directory.Exists(target)) Directory.Delete(target);
            Directory.Move(temporary, target);
        }
        catch
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }
        DurableFile.SyncFolder(parent);
    }

    private static List<TensorToWrite> TensorsOf(LlamaConfig config, ulong seed)
    {
        var names = new HuggingFaceNames(isMultimodal: false);
        var weights = new RandomWeights(seed);
        return [.. ParameterTable.Of(config).Parameters.Select(parameter => weights.Of(parameter, names.KeyOf(parameter.Name)))];
    }
}
