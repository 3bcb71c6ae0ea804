using System.Collections.Immutable;
using System.Text;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>A <c>.pth</c> archive of any size whose elements are holes of a sparse file: only its structure takes room. Independent of the writer under test.</summary>
internal static class SparsePth
{
    /// <summary>Writes the archive and returns the byte at which each tensor's elements begin.</summary>
    public static Dictionary<string, long> Write(string path, IReadOnlyList<(string Key, ImmutableArray<long> Shape)> tensors)
    {
        using var file = File.Create(path);
        using var directory = new MemoryStream();
        var offsets = new Dictionary<string, long>();
        var count = 0;
        Entry("data.pkl", StateDictPickle.Of([.. tensors.Select(tensor => (tensor.Key, ElementType.BFloat16, tensor.Shape))]), null);
        foreach (var (key, shape) in tensors) offsets.Add(key, Entry($"data/{count - 1}", [], shape.Aggregate(2L, (product, size) => product * size)));
        Finish();
        return offsets;

        long Entry(string name, byte[] content, long? hole)
        {
            var (at, bytes) = (file.Position, hole ?? content.Length);
            var name8 = Encoding.UTF8.GetBytes($"consolidated/{name}");
            var padding = (int)((64 - (at + 30 + name8.Length + 24) % 64) % 64);
            file.Write([.. "PK\u0003\u0004"u8, .. Attributes(name8.Length, 24 + padding), .. name8, .. Wide(16, bytes, bytes), (byte)'F', (byte)'B', .. Two(padding), .. new byte[padding]]);
            var begin = file.Position;
            file.Write(content);
            file.Position = begin + bytes;
            directory.Write([.. "PK\u0001\u0002"u8, .. Two(45), .. Attributes(name8.Length, 28), .. new byte[10], .. Four(-1), .. name8, .. Wide(24, bytes, bytes, at)]);
            count++;
            return begin;
        }

        void Finish()
        {
            var (begin, bytes) = (file.Position, directory.Length);
            file.Write(directory.ToArray());
            file.Write([.. "PK\u0006\u0006"u8, .. Eight(44), .. Two(45), .. Two(45), .. Eight(0), .. Eight(count), .. Eight(count), .. Eight(bytes), .. Eight(begin)]);
            file.Write([.. "PK\u0006\u0007"u8, .. Four(0), .. Eight(begin + bytes), .. Four(1), .. "PK\u0005\u0006"u8, .. Four(0), .. Four(-1), .. Four(-1), .. Four(-1), .. Two(0)]);
        }
    }

    /// <summary>Version, flags, stored, time, date, checksum, sizes that stand in the wide field, lengths of name and extra field.</summary>
    private static byte[] Attributes(int name, int extra) => [.. Two(45), .. new byte[12], .. Four(-1), .. Four(-1), .. Two(name), .. Two(extra)];

    private static byte[] Wide(int length, params long[] values) => [.. Two(1), .. Two(length), .. values.SelectMany(Eight)];

    private static byte[] Two(int value) => BitConverter.GetBytes((ushort)value);

    private static byte[] Four(int value) => BitConverter.GetBytes(value);

    private static byte[] Eight(long value) => BitConverter.GetBytes(value);
}
