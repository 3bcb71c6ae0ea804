using System.Text;

namespace ActorLlama.Checkpoints.Testing;

/// <summary>A GGUF file read with nothing of the writer's, as llama.cpp reads it: everything in one go, sizes fastest first.</summary>
public sealed record IndependentGguf(IReadOnlyDictionary<string, object> Metadata, IReadOnlyDictionary<string, IndependentGguf.Tensor> Tensors)
{
    /// <summary>Sizes fastest first; type 0 is float32, 30 bfloat16.</summary>
    public sealed record Tensor(IReadOnlyList<long> Sizes, uint Type, byte[] Bytes)
    {
        /// <summary>Elements as float32, row major.</summary>
        public float[] Values() => Type == 0
            ? [.. Bytes.Chunk(4).Select(part => BitConverter.ToSingle(part))]
            : [.. Bytes.Chunk(2).Select(part => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(part) << 16))];
    }

    /// <summary>Throws <see cref="InvalidDataException"/> for what llama.cpp would not read.</summary>
    public static IndependentGguf Read(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        var (magic, version) = (Encoding.ASCII.GetString(reader.ReadBytes(4)), reader.ReadUInt32());
        if ((magic, version) != ("GGUF", 3)) throw new InvalidDataException($"\"{path}\" begins with {magic} {version}.");
        var (tensors, entries) = (reader.ReadInt64(), reader.ReadInt64());
        var metadata = new Dictionary<string, object>();
        for (var i = 0; i < entries; i++) metadata.Add(Text(reader), Value(reader, reader.ReadUInt32()));
        var infos = new List<(string Name, long[] Sizes, uint Type, long Offset)>();
        for (var i = 0; i < tensors; i++)
        {
            var name = Text(reader);
            long[] sizes = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt64())];
            infos.Add((name, sizes, reader.ReadUInt32(), reader.ReadInt64()));
        }
        var begin = (reader.BaseStream.Position + 31) / 32 * 32;
        return new IndependentGguf(metadata, infos.ToDictionary(info => info.Name, info =>
        {
            if (info.Offset % 32 != 0) throw new InvalidDataException($"\"{info.Name}\" lies at {info.Offset}, no multiple of 32.");
            reader.BaseStream.Position = begin + info.Offset;
            return new Tensor(info.Sizes, info.Type, reader.ReadBytes((int)info.Sizes.Aggregate(info.Type == 0 ? 4L : 2, (bytes, size) => bytes * size)));
        }));
    }

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadInt64()));

    private static object Value(BinaryReader reader, uint type) => type switch
    {
        4 => reader.ReadUInt32(),
        5 => reader.ReadInt32(),
        6 => reader.ReadSingle(),
        8 => Text(reader),
        9 => List(reader, reader.ReadUInt32(), reader.ReadInt64()),
        _ => throw new InvalidDataException($"type {type}"),
    };

    private static List<object> List(BinaryReader reader, uint type, long count)
    {
        var values = new List<object>();
        for (var i = 0L; i < count; i++) values.Add(Value(reader, type));
        return values;
    }
}
