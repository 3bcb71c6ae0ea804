using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Checkpoints;

/// <summary>Divides tensors into safetensors files.</summary>
internal static class ShardPlan
{
    private const int LineBytes = 64;

    /// <summary>
    /// Fills shards in the given order; a tensor larger than a shard has one to itself. They are called after the part of a checkpoint that they are; without one,
    /// one shard is called <c>model.safetensors</c>.
    /// </summary>
    public static ImmutableArray<TensorFile> Of(IReadOnlyList<TensorToWrite> tensors, long shardBytes, string? part = null)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { SafetensorsHeader.MetadataKey };
        foreach (var tensor in tensors)
            if (!names.Add(tensor.Name))
                throw new ArgumentException(
                    $"Checkpoint: the name \"{tensor.Name}\" is taken; names of tensors are unique.", nameof(tensors));
        var shards = new List<List<TensorToWrite>> { new() };
        var filled = 0L;
        foreach (var tensor in tensors)
        {
            if (shards[^1].Count > 0 && filled > shardBytes - tensor.Bytes)
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add(tensor);
            filled += tensor.Bytes;
        }
        return [.. shards.Select((shard, index) => FileOf(NameOf(part, index, shards.Count), Aligned(shard)))];
    }

    private static TensorFile FileOf(string name, ImmutableArray<TensorToWrite> tensors) => new(name, MakeHeader(tensors), tensors);

    private static string NameOf(string? part, int index, int count) =>
        count == 1 && part is null ? ShardSet.SingleFile : $"{part ?? "model"}-{index + 1:d5}-of-{count:d5}.safetensors";

    /// <summary>
    /// Whole lines of memory first, then wide elements: so each tensor begins at a multiple of a line or else of its element's size, and what is read where it lies
    /// is read at full speed.
    /// </summary>
    private static ImmutableArray<TensorToWrite> Aligned(IEnumerable<TensorToWrite> tensors) =>
        [.. tensors.OrderByDescending(tensor => tensor.Bytes % LineBytes == 0).ThenByDescending(tensor => tensor.ElementBits)];

    /// <summary>Length prefix and JSON, padded so that the data begins at a line of memory.</summary>
    private static byte[] MakeHeader(ImmutableArray<TensorToWrite> tensors)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[8]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject(SafetensorsHeader.MetadataKey);
            json.WriteString("format", "pt");
            json.WriteEndObject();
            var begin = 0L;
            foreach (var tensor in tensors)
            {
                WriteEntry(json, tensor, begin);
                begin += tensor.Bytes;
            }
            json.WriteEndObject();
        }
        while (buffer.Length % LineBytes != 0) buffer.WriteByte((byte)' ');
        var header = buffer.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        return header;
    }

    private static void WriteEntry(Utf8JsonWriter json, TensorToWrite tensor, long begin)
    {
        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype", tensor.Type);
        json.WriteStartArray("shape");
        foreach (var size in tensor.Shape) json.WriteNumberValue(size);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(begin + tensor.Bytes);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
