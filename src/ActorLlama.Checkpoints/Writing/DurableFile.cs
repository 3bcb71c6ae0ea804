using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.Checkpoints;

/// <summary>Files that are either whole or absent, also after a crash: written under a temporary name, forced to disk, renamed.</summary>
public static partial class DurableFile
{
    /// <summary>Ends every temporary name.</summary>
    public const string TemporarySuffix = ".partial";

    /// <summary>Writes a small text file. <paramref name="writer"/>: who, where several may at once; it goes into the temporary name.</summary>
    public static void WriteText(string path, string text, string writer = "")
    {
        var temporary = $"{path}{writer}{TemporarySuffix}";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Copies a file.</summary>
    public static void Copy(string from, string to)
    {
        var temporary = to + TemporarySuffix;
        using (var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.Read))
        using (var target = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            source.CopyTo(target);
            target.Flush(flushToDisk: true);
        }
        File.Move(temporary, to, overwrite: true);
    }

    /// <summary>Forces a file's content to disk.</summary>
    public static void SyncFile(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.FlushToDisk(handle);
    }

    /// <summary>
    /// Lets the disk begin with a range that was written, so that it works while the rest is made and little is left to force to disk at the end. A hint:
    /// where it is not understood, nothing happens.
    /// </summary>
    public static void BeginToSync(SafeFileHandle file, long offset, long bytes)
    {
        const uint write = 2;
        if (OperatingSystem.IsLinux()) _ = SyncRange(file, offset, bytes, write);
    }

    /// <summary>
    /// Forces the names in a folder to disk, so that renames survive a power cut. Does nothing on Windows, where no call exists for it.
    /// </summary>
    public static void SyncFolder(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        var descriptor = Open(path, 0);
        if (descriptor < 0)
            throw new IOException(
                $"Checkpoint: folder \"{path}\" cannot be opened to force it to disk (error {Marshal.GetLastPInvokeError()}).");
        try
        {
            // Some network file systems refuse to sync a folder; the files themselves are on disk already.
            _ = Sync(descriptor);
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncRange(SafeFileHandle file, long offset, long bytes, uint flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
