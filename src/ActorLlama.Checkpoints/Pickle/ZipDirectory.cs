using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The entries of a zip archive whose data lie as they are, as PyTorch writes them. Compressed or overlapping entries are refused, so nothing
/// read through it can be larger than the file. Nothing is ever unpacked to a path.
/// </summary>
internal sealed class ZipDirectory
{
    private const uint EndSignature = 0x06054b50, End64LocatorSignature = 0x07064b50, End64Signature = 0x06064b50;
    private const uint CentralSignature = 0x02014b50, LocalSignature = 0x04034b50;
    private const int EndBytes = 22, LocatorBytes = 20, End64Bytes = 56, CentralBytes = 46, LocalBytes = 30;
    private const long LongestDirectory = 256L << 20;
    private const string Again = "Download the file again.";

    private readonly MappedFile _file;

    private ZipDirectory(MappedFile file)
    {
        _file = file;
        var (offset, bytes, count) = FindDirectory();
        Entries = ReadEntries(offset, bytes, count);
        RequireApart(offset);
    }

    /// <summary>All entries, by ascending offset of their data.</summary>
    public ImmutableArray<Entry> Entries { get; }

    /// <summary>Throws <see cref="InvalidDataException"/> naming file, entry and rule.</summary>
    public static ZipDirectory Read(MappedFile file) => new(file);

    private (long Offset, long Bytes, long Count) FindDirectory()
    {
        var tail = ReadAt(Math.Max(0, _file.Length - EndBytes - ushort.MaxValue), (int)Math.Min(_file.Length, EndBytes + ushort.MaxValue), "its end");
        for (var at = tail.Length - EndBytes; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (U32(end, 0) != EndSignature || at + EndBytes + U16(end, 20) != tail.Length) continue;
            var (count, bytes, offset) = ((long)U16(end, 10), (long)U32(end, 12), (long)U32(end, 16));
            if (count != ushort.MaxValue && bytes != uint.MaxValue && offset != uint.MaxValue) return (offset, bytes, count);
            return FindDirectory64(_file.Length - tail.Length + at);
        }
        throw Fault("has no zip directory at its end: it is no PyTorch archive or was cut short");
    }

    private (long Offset, long Bytes, long Count) FindDirectory64(long end)
    {
        var locator = ReadAt(end - LocatorBytes, LocatorBytes, "the locator of its directory");
        if (U32(locator, 0) != End64LocatorSignature) throw Fault("has a broken zip64 locator");
        var record = ReadAt(Size(locator, 8), End64Bytes, "the end of its directory");
        if (U32(record, 0) != End64Signature) throw Fault("has a broken zip64 directory");
        return (Size(record, 48), Size(record, 40), Size(record, 32));
    }

    private ImmutableArray<Entry> ReadEntries(long offset, long bytes, long count)
    {
        if (bytes > LongestDirectory || count > bytes / CentralBytes)
            throw Fault($"claims a zip directory of {bytes} bytes for {count} entries; it has at most {LongestDirectory} bytes and {CentralBytes} or more an entry");
        var directory = ReadAt(offset, (int)bytes, "its zip directory");
        var names = new HashSet<string>(StringComparer.Ordinal);
        var entries = ImmutableArray.CreateBuilder<Entry>();
        var at = 0;
        for (var i = 0L; i < count; i++)
        {
            var rest = directory.AsSpan(at);
            if (rest.Length < CentralBytes || U32(rest, 0) != CentralSignature) throw Fault($"has a broken zip directory at entry {i}");
            int name = U16(rest, 28), extra = U16(rest, 30), comment = U16(rest, 32);
            if (rest.Length < CentralBytes + name + extra + comment) throw Fault($"has a zip directory that ends inside entry {i}");
            var entry = ReadEntry(rest, Encoding.UTF8.GetString(rest.Slice(CentralBytes, name)), rest.Slice(CentralBytes + name, extra));
            if (!names.Add(entry.Name)) throw Fault(entry.Name, "twice; names are unique");
            entries.Add(entry);
            at += CentralBytes + name + extra + comment;
        }
        if (at != directory.Length) throw Fault($"has {directory.Length - at} bytes after the last entry of its zip directory");
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        return entries.ToImmutable();
    }

    private Entry ReadEntry(ReadOnlySpan<byte> central, string name, ReadOnlySpan<byte> extra)
    {
        if (name.Length == 0 || name[0] == '/' || name.AsSpan().IndexOfAny('\\', '\0') >= 0 || name.Split('/').Contains(".."))
            throw Fault(name, "under a name that leads out of the archive");
        if ((U16(central, 8) & 1) != 0) throw Fault(name, "encrypted; PyTorch writes none");
        if (U16(central, 10) != 0) throw Fault(name, "compressed; PyTorch stores entries as they are");
        var (packed, plain, local) = ((long)U32(central, 20), (long)U32(central, 24), (long)U32(central, 42));
        ReadWide(name, extra, ref plain, ref packed, ref local);
        if (packed != plain) throw Fault(name, $"stored in {packed} bytes for {plain}; PyTorch stores entries as they are");
        var header = ReadAt(local, LocalBytes, $"entry {Quote(name)}");
        if (U32(header, 0) != LocalSignature) throw Fault(name, "without a header where the directory says it is");
        var offset = local + LocalBytes + U16(header, 26) + U16(header, 28);
        if (plain > _file.Length - offset) throw Fault(name, $"up to byte {(decimal)offset + plain}, beyond the file's {_file.Length} bytes");
        return new Entry(name, local, offset, plain);
    }

    /// <summary>Sizes of 64 bits, which follow in this order where the short field is full.</summary>
    private void ReadWide(string name, ReadOnlySpan<byte> extra, ref long plain, ref long packed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), size = U16(extra, 2);
            if (size > extra.Length - 4) break;
            if (id == 1)
            {
                var wide = extra.Slice(4, size);
                Widen(ref plain, ref wide, name);
                Widen(ref packed, ref wide, name);
                Widen(ref local, ref wide, name);
            }
            extra = extra[(4 + size)..];
        }
    }

    private void Widen(ref long value, ref ReadOnlySpan<byte> wide, string name)
    {
        if (value != uint.MaxValue) return;
        if (wide.Length < 8) throw Fault(name, "with a size of 64 bits that is missing");
        value = Size(wide, 0);
        wide = wide[8..];
    }

    private void RequireApart(long directory)
    {
        var (covered, before) = (0L, "");
        foreach (var entry in Entries)
        {
            if (entry.Header < covered) throw Fault(entry.Name, $"from byte {entry.Header} on, inside {Quote(before)}, which ends at byte {covered}");
            (covered, before) = (entry.Offset + entry.Bytes, entry.Name);
        }
        if (covered > directory) throw Fault(before, $"up to byte {covered}, inside the directory at byte {directory}");
    }

    private byte[] ReadAt(long offset, int bytes, string what)
    {
        if (offset < 0 || bytes < 0 || offset > _file.Length - bytes) throw Fault($"ends inside {what}");
        var buffer = new byte[bytes];
        _file.Read(offset, buffer);
        return buffer;
    }

    private long Size(ReadOnlySpan<byte> bytes, int at)
    {
        var value = BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
        return value >= 0 && value <= _file.Length ? value : throw Fault($"claims a size or place of {(ulong)value} bytes, beyond the file's {_file.Length}");
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private InvalidDataException Fault(string what) => new($"Checkpoint: {Quote(_file.Path)} {what}. {Again}");

    private InvalidDataException Fault(string entry, string what) => new($"Checkpoint: {Quote(_file.Path)} holds entry {Quote(entry)} {what}. {Again}");

    /// <summary>One entry.</summary>
    /// <param name="Name">Its name in the archive.</param>
    /// <param name="Header">Byte of its local header.</param>
    /// <param name="Offset">Byte of its data.</param>
    /// <param name="Bytes">Length of its data.</param>
    internal sealed record Entry(string Name, long Header, long Offset, long Bytes);
}
