using System.Buffers.Binary;
using System.Text.Json;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>A second, plain reader of the format, so that tests do not trust the one under test.</summary>
internal static class IndependentSafetensors
{
    /// <summary>Every tensor's bytes by its key.</summary>
    public static Dictionary<string, byte[]> Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var header = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var json = JsonDocument.Parse(bytes.AsMemory(8, header));
        return json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__").ToDictionary(
            p => p.Name,
            p =>
            {
                var offsets = p.Value.GetProperty("data_offsets");
                return bytes[(8 + header + offsets[0].GetInt32())..(8 + header + offsets[1].GetInt32())];
            });
    }

    /// <summary>Every tensor of all safetensors files of a folder whose names begin with <c>model</c>.</summary>
    public static Dictionary<string, byte[]> ReadModel(string directory) =>
        Directory.GetFiles(directory, "model*.safetensors").SelectMany(Read).ToDictionary();
}
