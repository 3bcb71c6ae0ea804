using System.Buffers.Binary;
using System.Text.Json;

namespace ActorLlama.TestKit;

/// <summary>
/// Golden tensors of one safetensors file, converted on demand. Deliberately independent of the readers under test: a fault there
/// must not hide in the expectations.
/// </summary>
public sealed class SafetensorsFixture
{
    private readonly byte[] _file;
    private readonly Dictionary<string, Entry> _entries = [];

    private SafetensorsFixture(byte[] file)
    {
        _file = file;
        var headerBytes = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using var header = JsonDocument.Parse(file.AsMemory(8, headerBytes));
        foreach (var property in header.RootElement.EnumerateObject())
        {
            if (property.Name == "__metadata__") continue;
            var offsets = property.Value.GetProperty("data_offsets");
            _entries.Add(property.Name, new Entry(
                property.Value.GetProperty("dtype").GetString()!,
                [.. property.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())],
                8 + headerBytes + offsets[0].GetInt32(), 8 + headerBytes + offsets[1].GetInt32()));
        }
    }

    public IEnumerable<string> Names => _entries.Keys;

    public static SafetensorsFixture Open(params string[] parts) => new(File.ReadAllBytes(Shared.PathOf(parts)));

    public static SafetensorsFixture OpenFile(string path) => new(File.ReadAllBytes(path));

    public bool Has(string name) => _entries.ContainsKey(name);

    public int[] Shape(string name) => Find(name).Shape;

    /// <summary>The elements of a tensor of type F32, BF16, F16 or F64, row major.</summary>
    public float[] Floats(string name) => Convert(name, (type, bytes, i) => type switch
    {
        "F32" => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]),
        "BF16" => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(bytes[(2 * i)..]) << 16),
        "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
        "F64" => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes[(8 * i)..]),
        _ => throw new InvalidDataException($"Golden data: tensor \"{name}\" has type {type}, not a float type."),
    });

    /// <summary>The elements of a tensor of type I64, row major.</summary>
    public int[] Ids(string name) => Convert(name, (type, bytes, i) => type == "I64"
        ? checked((int)BinaryPrimitives.ReadInt64LittleEndian(bytes[(8 * i)..]))
        : throw new InvalidDataException($"Golden data: tensor \"{name}\" has type {type}, not I64."));

    private delegate T Read<T>(string type, ReadOnlySpan<byte> bytes, int index);

    private T[] Convert<T>(string name, Read<T> read)
    {
        var entry = Find(name);
        var bytes = _file.AsSpan(entry.Begin, entry.End - entry.Begin);
        var values = new T[entry.Shape.Aggregate(1, (product, size) => product * size)];
        for (var i = 0; i < values.Length; i++) values[i] = read(entry.Type, bytes, i);
        return values;
    }

    private Entry Find(string name) => _entries.TryGetValue(name, out var entry)
        ? entry
        : throw new KeyNotFoundException($"Golden data: no tensor \"{name}\"; there are {string.Join(", ", _entries.Keys)}.");

    private sealed record Entry(string Type, int[] Shape, int Begin, int End);
}
