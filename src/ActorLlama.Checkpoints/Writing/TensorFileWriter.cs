using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.Checkpoints;

/// <summary>Writes files of tensors, filled by several threads in a few megabytes each. Files appear under their names only when they are on disk.</summary>
/// <param name="folder">An existing folder.</param>
internal sealed class TensorFileWriter(string folder)
{
    /// <summary>A multiple of every element's size; small enough that a piece is still in a core's cache when it is hashed.</summary>
    private const int ChunkBytes = 1 << 20;

    /// <summary>Threads that fill and write. The files do not depend on it.</summary>
    public required int Threads { get; init; }

    /// <summary>
    /// True: each file gets its name as soon as it is on disk, stays when a later one fails, and is not written again when it is there already:
    /// a write that was cut off goes on. For folders that nobody takes for a checkpoint.
    /// </summary>
    public bool KeepsFinished { get; init; }

    /// <summary>Where sizes and SHA-256 of the files that are written go, by name; null when nobody asks for them.</summary>
    public Dictionary<string, Manifest.FileState>? States { get; init; }

    /// <summary>Called from writing threads, by one at a time.</summary>
    public Action<WriteProgress>? Progress { get; init; }

    /// <summary>
    /// Writes all files. When it throws, also by cancellation, it leaves no file of its own behind and those that were there as they were.
    /// </summary>
    public void Write(ImmutableArray<TensorFile> files, CancellationToken cancellation)
    {
        var tally = new WriteTally(files.Sum(file => file.Bytes - file.Header.Length), Progress);
        try
        {
            foreach (var file in files)
                if (KeepsFinished && IsFinished(file)) tally.Add(file.Bytes - file.Header.Length);
                else WriteFile(file, tally, cancellation);
        }
        catch
        {
            foreach (var file in files) File.Delete(TemporaryOf(file));
            throw;
        }
        if (!KeepsFinished) foreach (var file in files) Name(file);
    }

    private string TemporaryOf(TensorFile file) => Path.Combine(folder, file.Name + DurableFile.TemporarySuffix);

    private void WriteFile(TensorFile file, WriteTally tally, CancellationToken cancellation)
    {
        using var handle = File.OpenHandle(
            TemporaryOf(file), FileMode.Create, FileAccess.Write, FileShare.None, preallocationSize: file.Bytes);
        using var hash = States is null ? null : new OrderedHash();
        RandomAccess.Write(handle, file.Header, 0);
        hash?.Append(0, file.Header);
        var options = new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = cancellation };
        // Pieces are taken one by one and in order: whoever waits to hash waits for a piece that is being written.
        var chunks = Partitioner.Create(ChunksOf(file), EnumerablePartitionerOptions.NoBuffering);
        FirstFault.Of(() => Parallel.ForEach(chunks, options, chunk => WriteChunk(handle, chunk, hash, tally)));
        RandomAccess.FlushToDisk(handle);
        handle.Dispose();
        if (hash is not null) States![file.Name] = new Manifest.FileState(hash.Length, hash.Finish());
        if (KeepsFinished) Name(file);
    }

    private void Name(TensorFile file) => File.Move(TemporaryOf(file), Path.Combine(folder, file.Name), overwrite: true);

    private bool IsFinished(TensorFile file)
    {
        var path = Path.Combine(folder, file.Name);
        if (!File.Exists(path)) return false;
        using var written = MappedFile.Open(path);
        if (written.Length != file.Bytes) return false;
        var header = new byte[file.Header.Length];
        written.Read(0, header);
        return header.AsSpan().SequenceEqual(file.Header);
    }

    private static IEnumerable<Chunk> ChunksOf(TensorFile file)
    {
        var begin = (long)file.Header.Length;
        foreach (var tensor in file.Tensors)
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
