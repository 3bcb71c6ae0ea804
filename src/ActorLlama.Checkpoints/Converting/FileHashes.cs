using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace ActorLlama.Checkpoints;

/// <summary>SHA-256 of files, several at a time, in a few megabytes.</summary>
internal static class FileHashes
{
    private const int ChunkBytes = 1 << 22;

    public static Dictionary<string, Manifest.FileState> Of(
        string directory, IEnumerable<string> names, int threads, Action<long>? hashed, CancellationToken cancellation)
    {
        var states = new ConcurrentDictionary<string, Manifest.FileState>(StringComparer.Ordinal);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        FirstFault.Of(() => Parallel.ForEach(names, options, name => states[name] = Of(Path.Combine(directory, name), hashed, cancellation)));
        return new Dictionary<string, Manifest.FileState>(states, StringComparer.Ordinal);
    }

    private static Manifest.FileState Of(string path, Action<long>? hashed, CancellationToken cancellation)
    {
        using var file = MappedFile.Open(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[(int)Math.Min(ChunkBytes, Math.Max(1, file.Length))];
        for (var offset = 0L; offset < file.Length; offset += buffer.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            var chunk = buffer.AsSpan(0, (int)Math.Min(buffer.Length, file.Length - offset));
            file.Read(offset, chunk);
            hash.AppendData(chunk);
            hashed?.Invoke(chunk.Length);
        }
        return new Manifest.FileState(file.Length, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
