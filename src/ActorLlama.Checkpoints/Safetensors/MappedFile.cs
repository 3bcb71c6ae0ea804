using System.IO.MemoryMappedFiles;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// A file mapped read-only as a whole, at 64-bit offsets. Symbolic links are followed. Nothing is read before somebody touches it;
/// <see cref="Read"/> reads past the mapping, so a file cut short meanwhile is an error there and no crash.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly FileStream _stream;
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;

    private MappedFile(string path, FileStream stream)
    {
        Path = path;
        _stream = stream;
        Length = RandomAccess.GetLength(stream.SafeFileHandle);
    }

    /// <summary>The path as it was given, for messages.</summary>
    public string Path { get; }

    /// <summary>Bytes when it was opened.</summary>
    public long Length { get; }

    /// <summary>The address of the file's first byte; valid until <see cref="Dispose"/>. <see cref="Map"/> comes first.</summary>
    public nint Address { get; private set; }

    /// <summary>Opens without mapping. Throws <see cref="FileNotFoundException"/> when absent.</summary>
    public static MappedFile Open(string path)
    {
        try
        {
            // No buffer: everything is read by position or through the mapping.
            return new MappedFile(path, new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0));
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException(
                $"Checkpoint: file {Quote(path)} does not exist. Download it or correct the path.", path, fault);
        }
        catch (UnauthorizedAccessException fault)
        {
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} cannot be read: it is a folder or its permissions forbid it.", fault);
        }
        catch (IOException fault)
        {
            throw new InvalidDataException($"Checkpoint: {Quote(path)} cannot be read: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
    }

    /// <summary>Maps the file, once; an empty one has nothing to map.</summary>
    public void Map()
    {
        if (_view is not null || Length == 0) return;
        try
        {
            MapWhole();
        }
        catch (IOException fault)
        {
            throw new InvalidDataException(
                $"Checkpoint: {Quote(Path)} cannot be mapped into memory ({fault.Message.ReplaceLineEndings(" ")}). "
                + "Put it on a disk that allows it.", fault);
        }
    }

    /// <summary>Fills <paramref name="bytes"/> from that offset of the file, from any thread.</summary>
    public void Read(long offset, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var got = RandomAccess.Read(_stream.SafeFileHandle, bytes, offset);
            if (got == 0)
                throw new InvalidDataException(
                    $"Checkpoint: {Quote(Path)} ended at byte {offset} while it was read. It was cut short meanwhile.");
            bytes = bytes[got..];
            offset += got;
        }
    }

    public void Dispose()
    {
        if (_view is not null)
        {
            if (Address != 0) _view.SafeMemoryMappedViewHandle.ReleasePointer();
            Address = 0;
            _view.Dispose();
            _view = null;
        }
        _map?.Dispose();
        _stream.Dispose();
    }

    private void MapWhole()
    {
        _map = MemoryMappedFile.CreateFromFile(_stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* first = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref first);
        Address = (nint)(first + _view.PointerOffset);
    }
}
