using System.Collections.Immutable;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>A checkpoint that several processes write together into one <see cref="SaveFolder"/>: parts in any order, then one commit.</summary>
public static class CheckpointSave
{
    /// <summary>
    /// Writes one part as files of its own, each whole and on disk when this returns. Throws <see cref="InvalidDataException"/> where the folder is not shared or
    /// cannot be written.
    /// </summary>
    /// <param name="folder">The shared folder.</param>
    /// <param name="nonce">That of <see cref="SaveFolder.Make"/>.</param>
    /// <param name="part">Name of the part, different from those of all others: files are called after it.</param>
    /// <param name="tensors">What it holds.</param>
    /// <param name="threads">Threads that write.</param>
    /// <param name="progress">Called from writing threads, by one at a time.</param>
    /// <param name="cancellation">Stops the write.</param>
    public static ImmutableArray<SavedFile> WritePart(
        string folder, string nonce, string part, IReadOnlyList<TensorToWrite> tensors, int threads, Action<WriteProgress>? progress, CancellationToken cancellation)
    {
        SaveFolder.RequireShared(folder, nonce);
        if (tensors.Count == 0) return [];
        var states = new Dictionary<string, Manifest.FileState>(StringComparer.Ordinal);
        try
        {
            new SafetensorsWriter(folder)
            {
                ShardBytes = ConversionOptions.DefaultShardBytes,
                Threads = threads,
                KeepsFinished = true,
                Part = part,
                States = states,
                Progress = progress,
            }.Write(tensors, cancellation);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"Save: part {Quote(part)} cannot be written: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
        return [.. states.OrderBy(file => file.Key, StringComparer.Ordinal).Select(file => new SavedFile(file.Key, file.Value.Bytes, file.Value.Sha256))];
    }

    /// <summary>
    /// Makes the checkpoint of the parts: index, config, what goes with it, manifest, and then its name. Throws <see cref="InvalidDataException"/> when a file is not as
    /// it was told, or what is there is no whole checkpoint.
    /// </summary>
    /// <param name="folder">The shared folder.</param>
    /// <param name="to">The target, as it was given to <see cref="SaveFolder.Make"/>.</param>
    /// <param name="source">The checkpoint that is served: config, tokenizer and the like are carried along.</param>
    /// <param name="files">All files of all parts.</param>
    /// <param name="step">Training step; null for the source's.</param>
    public static void Commit(string folder, string to, Checkpoint source, IReadOnlyList<SavedFile> files, long? step = null)
    {
        var target = TargetFolder.PathOf(to);
        TargetFolder.RequireFree(target, to);
        var tensors = new Dictionary<string, (string Key, string File, long Bytes)>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            if (Path.GetFileName(file.Name) != file.Name) throw new InvalidDataException($"Save: {Quote(file.Name)} is no plain file name. Save again.");
            using var opened = SafetensorsFile.Open(Path.Combine(folder, file.Name));
            if (opened.Source.Length != file.Bytes)
                throw new InvalidDataException($"Save: file {Quote(file.Name)} has {opened.Source.Length} bytes, but {file.Bytes} were written. Save again.");
            foreach (var entry in opened.Entries)
                if (!tensors.TryAdd(entry.Name, (entry.Name, file.Name, entry.Bytes)))
                    throw new InvalidDataException(
                        $"Save: tensor {Quote(entry.Name)} was written twice, to {Quote(tensors[entry.Name].File)} and {Quote(file.Name)}. Save again.");
        }
        DurableFile.WriteText(Path.Combine(folder, ShardSet.IndexFile), ShardIndex.ToJson(tensors.Values));
        DurableFile.WriteText(Path.Combine(folder, CheckpointDirectory.ConfigFile), source.ConfigJson);
        List<string> others = [ShardSet.IndexFile, CheckpointDirectory.ConfigFile];
        foreach (var path in CarriedFiles.Of(source.Path, LayoutNames.Unscanned))
        {
            others.Add(Path.GetFileName(path));
            DurableFile.Copy(path, Path.Combine(folder, others[^1]));
        }
        var states = FileHashes.Of(folder, others, threads: 1, hashed: null, CancellationToken.None);
        foreach (var file in files) states.Add(file.Name, new Manifest.FileState(file.Bytes, file.Sha256));
        DurableFile.WriteText(Path.Combine(folder, Manifest.FileName), new Manifest(LayoutNames.Unscanned, step ?? Manifest.Read(source.Path)?.Step ?? 0, source.Digest, states).ToJson());
        PartialFolder.BecomeTarget(folder, target);
    }
}
