using System.Text;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The beginning of a GGUF file, version 3: metadata, then name, sizes, type and place of every tensor, padded to <see cref="Alignment"/> bytes.
/// </summary>
internal sealed class GgufHeader
{
    /// <summary>Each tensor begins at a multiple of it, counted from the end of the header.</summary>
    public const int Alignment = 32;

    private const uint Magic = 0x46554747, Version = 3, UInt32 = 4, Int32 = 5, Float32 = 6, Text = 8, List = 9;

    private readonly MemoryStream _metadata = new();
    private readonly BinaryWriter _writer;
    private long _entries;

    public GgufHeader() => _writer = new BinaryWriter(_metadata, Encoding.UTF8);

    public void Add(string key, int value)
    {
        Key(key, UInt32);
        _writer.Write(checked((uint)value));
    }

    public void Add(string key, float value)
    {
        Key(key, Float32);
        _writer.Write(value);
    }

    public void Add(string key, string value)
    {
        Key(key, Text);
        Write(_writer, value);
    }

    public void Add(string key, IReadOnlyCollection<string> values)
    {
        Key(key, List);
        _writer.Write(Text);
        _writer.Write((long)values.Count);
        foreach (var value in values) Write(_writer, value);
    }

    public void Add(string key, IReadOnlyCollection<int> values)
    {
        Key(key, List);
        _writer.Write(Int32);
        _writer.Write((long)values.Count);
        foreach (var value in values) _writer.Write(value);
    }

    /// <summary>The header for these tensors, which lie in this order, each padded to <see cref="Alignment"/>.</summary>
    public byte[] For(IReadOnlyList<TensorToWrite> tensors)
    {
        using var all = new MemoryStream();
        using var header = new BinaryWriter(all, Encoding.UTF8);
        header.Write(Magic);
        header.Write(Version);
        header.Write((long)tensors.Count);
        header.Write(_entries);
        header.Write(_metadata.ToArray());
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            Write(header, tensor.Name);
            header.Write(tensor.Shape.Length);
            // Fastest first.
            foreach (var size in tensor.Shape.Reverse()) header.Write(size);
            header.Write(TypeOf(tensor.Type));
            header.Write(offset);
            offset += tensor.Bytes + PaddingAfter(tensor.Bytes);
        }
        header.Write(new byte[PaddingAfter(all.Length)]);
        return all.ToArray();
    }

    /// <summary>Bytes from there to the next multiple of <see cref="Alignment"/>.</summary>
    public static int PaddingAfter(long bytes) => (int)((Alignment - bytes % Alignment) % Alignment);

    private static int TypeOf(string type) => type switch
    {
        SafetensorsType.F32 => 0,
        SafetensorsType.BF16 => 30,
        _ => throw new ArgumentException($"Checkpoint: no tensor of type \"{type}\" is written to a GGUF file.", nameof(type)),
    };

    private void Key(string key, uint type)
    {
        Write(_writer, key);
        _writer.Write(type);
        _entries++;
    }

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((long)bytes.Length);
        writer.Write(bytes);
    }
}
