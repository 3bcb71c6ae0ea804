using System.Collections.Immutable;
using System.Runtime.InteropServices;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// A safetensors file of reference values (fixtures and <c>verify --golden</c>). Tensors are copied out on request; no copy is larger than
/// the file's own bytes, widened to the asked type. Faults are <see cref="InvalidDataException"/> naming file and tensor.
/// </summary>
public sealed class GoldenFile : IDisposable
{
    private readonly SafetensorsFile _file;

    private GoldenFile(SafetensorsFile file) => _file = file;

    /// <summary>The path as it was given.</summary>
    public string Path => _file.Path;

    /// <summary>Names of all tensors, in the order of their data.</summary>
    public IEnumerable<string> Names => _file.Entries.Select(entry => entry.Name);

    /// <summary>Opens the file and checks its header. Throws <see cref="FileNotFoundException"/> or <see cref="InvalidDataException"/>.</summary>
    public static GoldenFile Open(string path) => new(SafetensorsFile.Open(path));

    public bool Contains(string name) => _file.Find(name) is not null;

    /// <summary>Sizes of a tensor, outermost first.</summary>
    public ImmutableArray<long> Shape(string name) => Find(name).Shape;

    /// <summary>A tensor of F32, BF16, F16 or F64, row major; F64 is rounded, the others are exact.</summary>
    public float[] Floats(string name)
    {
        var entry = Find(name);
        return entry.Type switch
        {
            SafetensorsType.F32 => ReadAll<float>(entry),
            SafetensorsType.BF16 => Array.ConvertAll(ReadAll<ushort>(entry), bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
            SafetensorsType.F16 => Array.ConvertAll(ReadAll<Half>(entry), value => (float)value),
            SafetensorsType.F64 => Array.ConvertAll(ReadAll<double>(entry), value => (float)value),
            _ => throw WrongType(entry, "F32, BF16, F16 or F64"),
        };
    }

    /// <summary>A tensor of I64, row major.</summary>
    public long[] Longs(string name)
    {
        var entry = Find(name);
        return entry.Type == SafetensorsType.I64 ? ReadAll<long>(entry) : throw WrongType(entry, "I64");
    }

    public void Dispose() => _file.Dispose();

    private SafetensorsEntry Find(string name) => _file.Find(name)
        ?? throw new InvalidDataException($"Golden file: {Quote(Path)} has no tensor {Quote(name)}. Use a file that has it.");

    private T[] ReadAll<T>(SafetensorsEntry entry) where T : unmanaged
    {
        var count = entry.Bytes / Marshal.SizeOf<T>();
        if (count > Array.MaxLength)
            throw new InvalidDataException(
                $"Golden file: tensor {Quote(entry.Name)} in {Quote(Path)} has {count} elements; "
                + $"at most {Array.MaxLength} can be compared.");
        var values = GC.AllocateUninitializedArray<T>((int)count);
        // A span of bytes ends at 2^31: larger tensors are read in pieces.
        const int piece = 1 << 26;
        for (var at = 0; at < values.Length; at += piece)
            _file.Read(entry.Offset + (long)at * Marshal.SizeOf<T>(), MemoryMarshal.AsBytes(values.AsSpan(at, Math.Min(piece, values.Length - at))));
        return values;
    }

    private InvalidDataException WrongType(SafetensorsEntry entry, string wanted) =>
        new(
            $"Golden file: tensor {Quote(entry.Name)} in {Quote(Path)} has dtype {Quote(entry.Type)}; it is {wanted}. "
            + "Write it in that type.");
}
