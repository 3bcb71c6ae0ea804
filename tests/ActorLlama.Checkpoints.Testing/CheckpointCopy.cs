using System.Runtime.InteropServices;
using System.Text.Json;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints.Testing;

/// <summary>Copies of checkpoints for tests.</summary>
public static class CheckpointCopy
{
    private const ushort BFloat16NaN = 0x7FC0;

    /// <summary>
    /// Copies a checkpoint and writes NaN over every parameter that <paramref name="keep"/> refuses, so that a node which reads what is
    /// not its own is found out. It is asked once per parameter with null, and for routed experts once per expert with its index. All copies
    /// of one source have the same identity, by a <c>checkpoint.json</c> that names the source's digest.
    /// </summary>
    /// <param name="sourceDir">A checkpoint.</param>
    /// <param name="targetDir">A folder that does not exist yet.</param>
    /// <param name="keep">Canonical name and expert index (null outside routed experts) to: leave it as it is?</param>
    public static void WithPoison(string sourceDir, string targetDir, Func<string, long?, bool> keep)
    {
        string digest;
        using (var source = CheckpointDirectory.Open(sourceDir)) digest = source.Digest;
        Directory.CreateDirectory(targetDir);
        foreach (var file in Directory.GetFiles(sourceDir))
            File.Copy(file, Path.Combine(targetDir, Path.GetFileName(file)));
        var reading = CheckpointDirectory.ReadConfig(targetDir);
        using (var shards = ShardSet.Open(targetDir))
        {
            var tensors = ParameterBinding.Bind(reading.Config, new HuggingFaceLayout(shards, reading.IsMultimodal));
            // The vision tower is no business of a text decoder's nodes.
            var ranges = tensors.Where(tensor => tensor.Name.StartsWith("text.", StringComparison.Ordinal)).SelectMany(tensor => Poisoned(tensor, keep)).ToList();
            // Closed before it is written to: readers forbid writers.
            shards.Dispose();
            foreach (var range in ranges) Overwrite(range);
        }
        var manifest = Path.Combine(targetDir, CheckpointIdentity.ManifestFile);
        if (!File.Exists(manifest)) File.WriteAllText(manifest, JsonSerializer.Serialize(new { layout = "huggingface", source = digest }));
    }

    private static IEnumerable<ByteRange> Poisoned(BoundTensor tensor, Func<string, long?, bool> keep)
    {
        var place = tensor.View.Blocks.Single();
        for (var slice = 0L; slice < tensor.Slices; slice++)
            if (!keep(tensor.Name, tensor.IsExperts ? slice : null))
                yield return new ByteRange(place.File.Path, place.Offset + slice * tensor.SliceBytes, tensor.SliceBytes, tensor.View.Type);
    }

    private static void Overwrite(ByteRange range)
    {
        var bytes = new byte[range.Bytes];
        if (range.Type == ElementType.Float32) MemoryMarshal.Cast<byte, float>(bytes.AsSpan()).Fill(float.NaN);
        else MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan()).Fill(BFloat16NaN);
        using var handle = File.OpenHandle(range.Path, FileMode.Open, FileAccess.Write);
        RandomAccess.Write(handle, bytes, range.Offset);
    }

    private readonly record struct ByteRange(string Path, long Offset, long Bytes, ElementType Type);
}
