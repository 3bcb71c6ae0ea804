namespace ActorLlama.Checkpoints;

/// <summary>
/// Writes tensors into a folder as <c>model.safetensors</c>, or as shards with their index when they exceed <see cref="ShardBytes"/>.
/// Memory use is a few megabytes per thread. Files appear under their names only when all of them are on disk.
/// </summary>
/// <param name="folder">An existing folder.</param>
public sealed class SafetensorsWriter(string folder)
{
    public const long DefaultShardBytes = 5_000_000_000;

    /// <summary>Largest shard in bytes of tensors; a single tensor may exceed it.</summary>
    public long ShardBytes { get; init; } = DefaultShardBytes;

    /// <summary>Threads that fill and write. The files do not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>True: a write that was cut off goes on (<see cref="TensorFileWriter.KeepsFinished"/>). For folders that nobody takes for a checkpoint.</summary>
    public bool KeepsFinished { get; init; }

    /// <summary>Name of the part of a checkpoint that is written, without an index; null for a whole one.</summary>
    internal string? Part { get; init; }

    /// <summary>Where sizes and SHA-256 of the shards that are written go, by file name; null when nobody asks for them.</summary>
    internal Dictionary<string, Manifest.FileState>? States { get; init; }

    /// <summary>Called from writing threads, by one at a time.</summary>
    public Action<WriteProgress>? Progress { get; init; }

    /// <summary>
    /// Writes all tensors. When it throws, also by cancellation, it leaves no file of its own behind and those that were there as they were.
    /// </summary>
    public void Write(IReadOnlyList<TensorToWrite> tensors, CancellationToken cancellation = default)
    {
        var shards = ShardPlan.Of(tensors, ShardBytes, Part);
        new TensorFileWriter(folder) { Threads = Threads, KeepsFinished = KeepsFinished, States = States, Progress = Progress }.Write(shards, cancellation);
        if (shards.Length > 1 && Part is null)
            DurableFile.WriteText(Path.Combine(folder, ShardSet.IndexFile), ShardIndex.ToJson(shards.SelectMany(shard => shard.Tensors, (shard, tensor) => (tensor.Name, shard.Name, tensor.Bytes))));
        DurableFile.SyncFolder(folder);
    }
}
