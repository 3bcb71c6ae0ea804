using System.Collections.Immutable;
using System.Text.Json;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary><c>model.safetensors.index.json</c>: which shard holds which tensor.</summary>
internal sealed class ShardIndex
{
    private readonly Dictionary<string, string> _fileByKey;

    private ShardIndex(string path, Dictionary<string, string> fileByKey)
    {
        Path = path;
        _fileByKey = fileByKey;
        Files = [.. fileByKey.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    public string Path { get; }

    /// <summary>Names of all shards, sorted.</summary>
    public ImmutableArray<string> Files { get; }

    public IReadOnlyDictionary<string, string> Tensors => _fileByKey;

    public string? FileOf(string key) => _fileByKey.GetValueOrDefault(key);

    /// <summary>The text of an index of these tensors.</summary>
    public static string ToJson(IEnumerable<(string Key, string File, long Bytes)> tensors)
    {
        var all = tensors.ToList();
        return JsonSerializer.Serialize(
            new Dictionary<string, object>
            {
                ["metadata"] = new Dictionary<string, long> { ["total_size"] = all.Sum(tensor => tensor.Bytes) },
                ["weight_map"] = new SortedDictionary<string, string>(all.ToDictionary(tensor => tensor.Key, tensor => tensor.File), StringComparer.Ordinal),
            },
            JsonText.Indented);
    }

    public static ShardIndex Read(string path)
    {
        using var document = JsonFile.ReadObject(path);
        if (!document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"Checkpoint: {Quote(path)} has no object \"weight_map\". Download the file again.");
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in map.EnumerateObject())
        {
            var name = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : null;
            // A name with a folder in it could lead out of the checkpoint.
            if (name is null or "" or "." or ".." || name.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
                throw new InvalidDataException(
                    $"Checkpoint: {Quote(path)} puts tensor {Quote(property.Name)} in {Quote(property.Value.GetRawText())}, "
                    + "which is no plain file name. Download the file again.");
            if (!files.TryAdd(property.Name, name))
                throw new InvalidDataException(
                    $"Checkpoint: {Quote(path)} lists tensor {Quote(property.Name)} twice. Download the file again.");
        }
        return files.Count > 0
            ? new ShardIndex(path, files)
            : throw new InvalidDataException($"Checkpoint: \"weight_map\" in {Quote(path)} is empty. Download the file again.");
    }
}
