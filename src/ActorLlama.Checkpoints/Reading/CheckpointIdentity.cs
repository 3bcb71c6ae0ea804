using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The digest by which nodes know that they hold the same checkpoint: of <c>checkpoint.json</c> where there is one, otherwise of
/// config, names, types, shapes and the first 4 KiB of each tensor and each expert. Independent of how tensors are spread over shards.
/// </summary>
internal static class CheckpointIdentity
{
    public const string ManifestFile = Manifest.FileName;

    private const int SampleBytes = 4096;

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public static string Of(string directory, LlamaConfig config, IEnumerable<BoundTensor> tensors)
    {
        var manifest = Path.Combine(directory, ManifestFile);
        return File.Exists(manifest) ? OfManifest(manifest) : OfSamples(config, tensors);
    }

    private static string OfManifest(string path)
    {
        // Parsed only to refuse what is no manifest at all: identity is a matter of its bytes.
        using (JsonFile.ReadObject(path)) { }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonFile.ReadText(path))));
    }

    private static string OfSamples(LlamaConfig config, IEnumerable<BoundTensor> tensors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("ActorLlama checkpoint 1\n"u8);
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(config));
        Span<byte> sample = stackalloc byte[SampleBytes];
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            var type = SafetensorsType.Of(tensor.View.Type);
            hash.AppendData(Encoding.UTF8.GetBytes($"\n{tensor.Name} {type} {Quote(tensor.View.Shape)}\n"));
            var reader = new ViewReader(tensor.View);
            var bytes = sample[..(int)Math.Min(SampleBytes, tensor.SliceBytes)];
            for (var slice = 0L; slice < tensor.Slices; slice++)
            {
                reader.Read(slice * tensor.SliceBytes, bytes);
                hash.AppendData(bytes);
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
