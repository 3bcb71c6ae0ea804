using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using ActorLlama.Model;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Writes a dictionary of tensors as PyTorch does: a zip archive of a pickle and one stored entry per tensor, each at a multiple of 64 bytes. The file
/// is complete and on disk, or absent. One thread writes, another hashes what is written, while it is still in the page cache; a few megabytes.
/// </summary>
internal sealed class PthWriter
{
    private const int ChunkBytes = 1 << 20, Alignment = 64, LocalBytes = 30, FillerHeader = 4;
    private const ushort Version = 45, Wide = 1, Filler = 0x4246;

    private readonly string _root;
    private readonly SafeFileHandle _file;
    private readonly MemoryStream _directory = new();
    private readonly byte[] _buffer = new byte[ChunkBytes];
    // Ends of what is written for good: a header lies before its data, but knows their checksum only after them.
    private readonly BlockingCollection<long> _finished = [];
    private readonly Action<long> _written;
    private readonly CancellationToken _cancellation;
    private volatile bool _isGivenUp;
    private long _at;
    private int _entries;

    private PthWriter(string root, SafeFileHandle file, Action<long> written, CancellationToken cancellation) =>
        (_root, _file, _written, _cancellation) = (root, file, written, cancellation);

    /// <param name="path">The file to write.</param>
    /// <param name="tensors">Its tensors in order.</param>
    /// <param name="type">The type to write them in; null for their own.</param>
    /// <param name="written">Told the bytes of each piece of a tensor.</param>
    /// <param name="cancellation">Stops the write.</param>
    public static Manifest.FileState Write(
        string path, IReadOnlyList<(string Key, TensorView View)> tensors, ElementType? type, Action<long> written, CancellationToken cancellation)
    {
        var temporary = path + DurableFile.TemporarySuffix;
        try
        {
            Manifest.FileState state;
            using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            {
                state = new PthWriter(Path.GetFileNameWithoutExtension(path), file, written, cancellation).Write(tensors, type);
                RandomAccess.FlushToDisk(file);
            }
            File.Move(temporary, path, overwrite: true);
            return state;
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private Manifest.FileState Write(IReadOnlyList<(string Key, TensorView View)> tensors, ElementType? type)
    {
        using var finished = _finished;
        Manifest.FileState? state = null;
        // The first runs on this thread, so the second always comes to an end.
        FirstFault.Of(() => Parallel.Invoke(() => WriteEntries(tensors, type), () => state = Hash()));
        return state!;
    }

    private void WriteEntries(IReadOnlyList<(string Key, TensorView View)> tensors, ElementType? type)
    {
        try
        {
            Entry("data.pkl", StateDictPickle.Of([.. tensors.Select(tensor => (tensor.Key, type ?? tensor.View.Type, tensor.View.Shape))]));
            Entry("byteorder", "little"u8.ToArray());
            for (var i = 0; i < tensors.Count; i++)
            {
                var view = tensors[i].View;
                var reader = new ViewReader(view);
                var own = type ?? view.Type;
                Entry(string.Create(CultureInfo.InvariantCulture, $"data/{i}"), view.Elements * TensorView.BytesOf(own), (offset, bytes) =>
                {
                    reader.ReadAs(own, offset, bytes);
                    _written(bytes.Length);
                });
            }
            Entry("version", "3\n"u8.ToArray());
            Finish();
        }
        catch
        {
            _isGivenUp = true;
            throw;
        }
        finally
        {
            _finished.CompleteAdding();
        }
    }

    private Manifest.FileState Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[ChunkBytes];
        var at = 0L;
        foreach (var end in _finished.GetConsumingEnumerable())
            while (at < end && !_isGivenUp)
            {
                var got = RandomAccess.Read(_file, buffer.AsSpan(0, (int)Math.Min(ChunkBytes, end - at)), at);
                if (got == 0) throw new IOException($"A file ended at byte {at} while it was written.");
                hash.AppendData(buffer.AsSpan(0, got));
                at += got;
            }
        return new Manifest.FileState(at, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private void Entry(string name, byte[] content) => Entry(name, content.Length, (offset, bytes) => content.AsSpan((int)offset, bytes.Length).CopyTo(bytes));

    private void Entry(string name, long bytes, TensorFill fill)
    {
        var path = Encoding.UTF8.GetBytes($"{_root}/{name}");
        var header = _at;
        // A zip64 field of both sizes, then filler up to the alignment.
        var start = header + LocalBytes + path.Length + 20 + FillerHeader;
        var filler = (int)((Alignment - start % Alignment) % Alignment);
        var data = start + filler;
        var sum = new Crc32();
        for (var offset = 0L; offset < bytes; offset += ChunkBytes)
        {
            _cancellation.ThrowIfCancellationRequested();
            var chunk = _buffer.AsSpan(0, (int)Math.Min(ChunkBytes, bytes - offset));
            fill(offset, chunk);
            sum.Append(chunk);
            RandomAccess.Write(_file, chunk, data + offset);
            DurableFile.BeginToSync(_file, data + offset, chunk.Length);
        }
        var crc = sum.GetCurrentHashAsUInt32();
        RandomAccess.Write(_file, LocalHeader(path, crc, bytes, filler), header);
        AddToDirectory(path, crc, bytes, header);
        _at = data + bytes;
        _finished.Add(_at, CancellationToken.None);
        _entries++;
    }

    private static byte[] LocalHeader(byte[] path, uint crc, long bytes, int filler)
    {
        using var stream = new MemoryStream();
        using var header = new BinaryWriter(stream);
        header.Write(0x04034b50u);
        WriteAttributes(header, crc);
        header.Write((ushort)path.Length);
        header.Write((ushort)(20 + FillerHeader + filler));
        header.Write(path);
        header.Write(Wide);
        header.Write((ushort)16);
        header.Write(bytes);
        header.Write(bytes);
        header.Write(Filler);
        header.Write((ushort)filler);
        header.Write(new byte[filler]);
        return stream.ToArray();
    }

    private void AddToDirectory(byte[] path, uint crc, long bytes, long header)
    {
        using var entry = new BinaryWriter(_directory, Encoding.UTF8, leaveOpen: true);
        entry.Write(0x02014b50u);
        entry.Write(Version);
        WriteAttributes(entry, crc);
        entry.Write((ushort)path.Length);
        entry.Write((ushort)28);
        entry.Write(new byte[10]);
        entry.Write(uint.MaxValue);
        entry.Write(path);
        entry.Write(Wide);
        entry.Write((ushort)24);
        entry.Write(bytes);
        entry.Write(bytes);
        entry.Write(header);
    }

    /// <summary>Version, names in UTF-8, stored, the first day that zip knows, checksum, and sizes that stand in the zip64 field.</summary>
    private static void WriteAttributes(BinaryWriter header, uint crc)
    {
        header.Write(Version);
        header.Write((ushort)0x0800);
        header.Write((ushort)0);
        header.Write((ushort)0);
        header.Write((ushort)0x21);
        header.Write(crc);
        header.Write(uint.MaxValue);
        header.Write(uint.MaxValue);
    }

    private void Finish()
    {
        var begin = _at;
        var bytes = _directory.Length;
        using var end = new BinaryWriter(_directory, Encoding.UTF8, leaveOpen: true);
        end.Write(0x06064b50u);
        end.Write(44L);
        end.Write(Version);
        end.Write(Version);
        end.Write(0L);
        end.Write((long)_entries);
        end.Write((long)_entries);
        end.Write(bytes);
        end.Write(begin);
        end.Write(0x07064b50u);
        end.Write(0u);
        end.Write(begin + bytes);
        end.Write(1u);
        end.Write(0x06054b50u);
        end.Write(0u);
        end.Write(uint.MaxValue);
        end.Write(uint.MaxValue);
        end.Write(uint.MaxValue);
        end.Write((ushort)0);
        end.Flush();
        RandomAccess.Write(_file, _directory.GetBuffer().AsSpan(0, (int)_directory.Length), begin);
        _finished.Add(begin + _directory.Length, CancellationToken.None);
    }
}
