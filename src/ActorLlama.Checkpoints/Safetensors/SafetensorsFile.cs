using System.Collections.Frozen;
using System.Collections.Immutable;

namespace ActorLlama.Checkpoints;

/// <summary>A safetensors file, opened, its header checked. No tensor has been read.</summary>
internal sealed class SafetensorsFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly FrozenDictionary<string, SafetensorsEntry> _byName;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
    {
        _file = file;
        Entries = header.Entries;
        _byName = header.Entries.ToFrozenDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    public string Path => _file.Path;

    /// <summary>The file itself, closed with this one.</summary>
    public MappedFile Source => _file;

    /// <summary>All tensors, by ascending offset.</summary>
    public ImmutableArray<SafetensorsEntry> Entries { get; }

    public SafetensorsEntry? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Opens and checks the file. Throws <see cref="FileNotFoundException"/> or <see cref="InvalidDataException"/>.</summary>
    public static SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Fills <paramref name="bytes"/> from that offset of the file, without the mapping.</summary>
    public void Read(long offset, Span<byte> bytes) => _file.Read(offset, bytes);

    public void Dispose() => _file.Dispose();
}
