using System.Buffers.Binary;
using System.Text;

namespace ActorLlama.Kernels;

/// <summary>The parts of a 64-bit little-endian ELF file that name the symbol versions it needs.</summary>
internal sealed class ElfImage
{
    private const int SectionStrings = 3, SectionDynamicSymbols = 11, SectionVersionNeeds = 0x6ffffffe, SectionVersions = 0x6fffffff;
    private readonly byte[] _bytes;
    private readonly (int Offset, int Size) _strings, _symbols, _versions, _needs;

    /// <summary>Reads the headers. Throws <see cref="InvalidDataException"/> when it is no such file.</summary>
    public ElfImage(byte[] bytes)
    {
        _bytes = bytes;
        if (bytes.Length < 64 || !bytes.AsSpan(0, 6).SequenceEqual<byte>([0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1]))
            throw new InvalidDataException("no 64-bit little-endian ELF file");
        try
        {
            var table = checked((int)ReadInt64(0x28));
            int entrySize = ReadInt16(0x3a), count = ReadInt16(0x3c);
            var symbolHeader = -1;
            for (var i = 0; i < count; i++)
            {
                var header = table + i * entrySize;
                var place = (checked((int)ReadInt64(header + 0x18)), checked((int)ReadInt64(header + 0x20)));
                switch (ReadInt32(header + 4))
                {
                    case SectionDynamicSymbols: (_symbols, symbolHeader) = (place, header); break;
                    case SectionVersions: _versions = place; break;
                    case SectionVersionNeeds: _needs = place; break;
                    default: break;
                }
            }
            if (symbolHeader < 0 || _versions.Size == 0 || _needs.Size == 0) throw new InvalidDataException("an ELF file without versioned dynamic symbols");
            var strings = table + ReadInt32(symbolHeader + 0x28) * entrySize;
            if (ReadInt32(strings + 4) != SectionStrings) throw new InvalidDataException("an ELF file whose dynamic symbols have no names");
            _strings = (checked((int)ReadInt64(strings + 0x18)), checked((int)ReadInt64(strings + 0x20)));
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("a damaged ELF file", e);
        }
    }

    /// <summary>A needed version: where its entry and its name lie in the file, and the index by which symbols refer to it.</summary>
    public readonly record struct NeededVersion(string Name, int EntryOffset, int NameOffset, int Index);

    /// <summary>Versions that the file needs of <paramref name="library"/>.</summary>
    public List<NeededVersion> VersionsNeededOf(string library)
    {
        var found = new List<NeededVersion>();
        for (var need = _needs.Offset; ;)
        {
            if (StringAt(ReadInt32(need + 4)) == library)
            {
                var entry = need + ReadInt32(need + 8);
                for (var left = ReadInt16(need + 2); left > 0; left--, entry += ReadInt32(entry + 12))
                {
                    var name = ReadInt32(entry + 8);
                    found.Add(new NeededVersion(StringAt(name), entry, _strings.Offset + name, (ushort)ReadInt16(entry + 6)));
                }
            }
            if (ReadInt32(need + 12) is not (> 0 and var next)) return found;
            need += next;
        }
    }

    /// <summary>Name and place of the name of each dynamic symbol bound to version <paramref name="index"/>.</summary>
    public List<(string Name, int NameOffset)> SymbolsOfVersion(int index)
    {
        var found = new List<(string, int)>();
        for (var i = 0; i < _versions.Size / 2; i++)
        {
            if ((ReadInt16(_versions.Offset + 2 * i) & 0x7fff) != index) continue;
            var name = ReadInt32(_symbols.Offset + 24 * i);
            found.Add((StringAt(name), _strings.Offset + name));
        }
        return found;
    }

    /// <summary>The hash by which the loader compares version names.</summary>
    public static uint Hash(string name)
    {
        uint hash = 0;
        foreach (var c in name)
        {
            hash = (hash << 4) + c;
            var high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }

    private string StringAt(int offset)
    {
        var text = _bytes.AsSpan(_strings.Offset, _strings.Size)[offset..];
        return Encoding.ASCII.GetString(text[..text.IndexOf((byte)0)]);
    }

    private short ReadInt16(int at) => BinaryPrimitives.ReadInt16LittleEndian(_bytes.AsSpan(at));

    private int ReadInt32(int at) => BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(at));

    private long ReadInt64(int at) => BinaryPrimitives.ReadInt64LittleEndian(_bytes.AsSpan(at));
}
