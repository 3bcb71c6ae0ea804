using System.Collections.Immutable;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Hashes every file of a checkpoint and compares with its <c>checkpoint.json</c>.</summary>
public static class CheckpointChecksum
{
    /// <summary>One result per file of the folder or the manifest, by name.</summary>
    /// <exception cref="FileNotFoundException">The folder does not exist.</exception>
    public static ImmutableArray<FileResult> Of(string directory, Action<WriteProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (!Directory.Exists(directory)) throw new FileNotFoundException($"Checkpoint: folder {Quote(directory)} does not exist. Correct the path.", directory);
        var manifest = Manifest.Read(directory);
        var names = Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path)!).Where(name => name != Manifest.FileName).ToList();
        var tally = new WriteTally(names.Sum(name => new FileInfo(Path.Combine(directory, name)).Length), progress);
        var hashes = FileHashes.Of(directory, names, Environment.ProcessorCount, tally.Add, cancellation);
        var results = hashes.Select(file => new FileResult(
            file.Key, file.Value.Sha256, file.Value.Bytes,
            manifest is null || !manifest.Files.TryGetValue(file.Key, out var recorded) ? FileVerdict.Unlisted
            : recorded == file.Value ? FileVerdict.Same
            : FileVerdict.Changed));
        var missing = manifest?.Files.Where(file => !hashes.ContainsKey(file.Key)).Select(file => new FileResult(file.Key, file.Value.Sha256, file.Value.Bytes, FileVerdict.Missing));
        return [.. results.Concat(missing ?? []).OrderBy(result => result.Name, StringComparer.Ordinal)];
    }

    /// <summary>What a manifest promises and what is there, by sizes alone: a glance, no reading. Null without manifest.</summary>
    public static bool? SizesAgree(string directory) => Manifest.Read(directory) is { } manifest
        ? manifest.Files.All(file => new FileInfo(Path.Combine(directory, file.Key)) is { Exists: true } info && info.Length == file.Value.Bytes)
        : null;

    /// <summary>One file.</summary>
    public sealed record FileResult(string Name, string Sha256, long Bytes, FileVerdict Verdict);
}
