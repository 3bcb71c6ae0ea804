using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Writes tensors into a folder as <c>model.safetensors</c>, or as shards with their index when they exceed <see cref="ShardBytes"/>.
/// Memory use is a few megabytes per thread. Files appear under their names only when all of them are on disk.
/// </summary>
/// <param name="folder">An existing folder.</param>
public sealed class SafetensorsWriter(string folder)
{
    public const long DefaultShardBytes = 5_000_000_000;

    /// <summary>A multiple of every element's size; small enough that a piece is still in a core's cache when it is hashed.</summary>
    private const int ChunkBytes = 1 << 20;

    /// <summary>Largest shard in bytes of tensors; a single tensor may exceed it.</summary>
    public long ShardBytes { get; init; } = DefaultShardBytes;

    /// <summary>Threads that fill and write. The files do not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// True: each shard gets its name as soon as it is on disk, stays when a later one fails, and is not written again when it is there already:
    /// a write that was cut off goes on. For folders that nobody takes for a checkpoint.
    /// </summary>
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
        var tally = new WriteTally(tensors.Sum(tensor => tensor.Bytes), Progress);
        try
        {
            foreach (var shard in shards)
                if (KeepsFinished && IsFinished(shard)) tally.Add(shard.FileBytes - shard.Header.Length);
                else WriteShard(shard, tally, cancellation);
        }
        catch
        {
            foreach (var shard in shards) File.Delete(TemporaryOf(shard));
            throw;
        }
        if (!KeepsFinished) foreach (var shard in shards) Name(shard);
        if (shards.Length > 1 && Part is null)
            DurableFile.WriteText(Path.Combine(folder, ShardSet.IndexFile), ShardIndex.ToJson(shards.SelectMany(shard => shard.Tensors, (shard, tensor) => (tensor.Name, shard.FileName, tensor.Bytes))));
        DurableFile.SyncFolder(folder);
    }

    private string TemporaryOf(ShardPlan shard) => Path.Combine(folder, shard.FileName + DurableFile.TemporarySuffix);

    private void WriteShard(ShardPlan shard, WriteTally tally, CancellationToken cancellation)
    {
        using var handle = File.OpenHandle(
            TemporaryOf(shard), FileMode.Create, FileAccess.Write, FileShare.None, preallocationSize: shard.FileBytes);
        using var hash = States is null ? null : new OrderedHash();
        RandomAccess.Write(handle, shard.Header, 0);
        hash?.Append(0, shard.Header);
        var options = new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = cancellation };
        // Pieces are taken one by one and in order: whoever waits to hash waits for a piece that is being written.
        var chunks = Partitioner.Create(ChunksOf(shard), EnumerablePartitionerOptions.NoBuffering);
        FirstFault.Of(() => Parallel.ForEach(chunks, options, chunk => WriteChunk(handle, chunk, hash, tally)));
        RandomAccess.FlushToDisk(handle);
        handle.Dispose();
        if (hash is not null) States![shard.FileName] = new Manifest.FileState(hash.Length, hash.Finish());
        if (KeepsFinished) Name(shard);
    }

    private void Name(ShardPlan shard) => File.Move(TemporaryOf(shard), Path.Combine(folder, shard.FileName), overwrite: true);

    private bool IsFinished(ShardPlan shard)
    {
        var path = Path.Combine(folder, shard.FileName);
        if (!File.Exists(path)) return false;
        using var file = MappedFile.Open(path);
        if (file.Length != shard.FileBytes) return false;
        var header = new byte[shard.Header.Length];
        file.Read(0, header);
        return header.AsSpan().SequenceEqual(shard.Header);
    }

    private static IEnumerable<Chunk> ChunksOf(ShardPlan shard)
    {
        var begin = (long)shard.Header.Length;
        foreach (var tensor in shard.Tensors)
        {
            for (var offset = 0L; offset < tensor.Bytes; offset += ChunkBytes)
                yield return new Chunk(tensor, offset, begin + offset, (int)Math.Min(ChunkBytes, tensor.Bytes - offset));
            begin += tensor.Bytes;
        }
    }

    private static void WriteChunk(SafeFileHandle handle, Chunk chunk, OrderedHash? hash, WriteTally tally)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(chunk.Bytes);
        try
        {
            var bytes = buffer.AsSpan(0, chunk.Bytes);
            chunk.Tensor.Fill(chunk.Offset, bytes);
            RandomAccess.Write(handle, bytes, chunk.FileOffset);
            DurableFile.BeginToSync(handle, chunk.FileOffset, chunk.Bytes);
            hash?.Append(chunk.FileOffset, bytes);
        }
        catch
        {
            hash?.Break();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        tally.Add(chunk.Bytes);
    }

    private readonly record struct Chunk(TensorToWrite Tensor, long Offset, long FileOffset, int Bytes);
}
