using System.Text;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The hidden folder beside a target in which one conversion at a time writes. While its journal lies in it, nobody takes it for a checkpoint, and
/// the journal says which conversion may go on with what is finished.
/// </summary>
internal sealed class PartialFolder : IDisposable
{
    /// <summary>In a folder that is still being written: which conversion writes it.</summary>
    public const string JournalFile = "conversion.partial";

    /// <summary>Linux's EWOULDBLOCK, the answer of a lock that another process holds.</summary>
    private const int IsLocked = 11;

    private readonly FileStream _journal;

    private PartialFolder(string path, FileStream journal) => (Path, _journal) = (path, journal);

    public string Path { get; }

    /// <summary>Names of the files in it, the journal left out.</summary>
    public IEnumerable<string> Files => NamesIn(Path);

    /// <summary>
    /// Takes the folder for one conversion. Throws <see cref="InvalidDataException"/> when another process has it, or when <paramref name="resume"/> is asked and
    /// what lies in it is of another conversion.
    /// </summary>
    /// <param name="target">Full path of the folder that is to be made.</param>
    /// <param name="given">The target as a person named it.</param>
    /// <param name="conversion">Source and options in one line: equal for conversions that write equal files.</param>
    /// <param name="resume">True: finished files stay. False: what was left is removed.</param>
    public static PartialFolder Take(string target, string given, string conversion, bool resume)
    {
        var path = System.IO.Path.Combine(
            System.IO.Path.GetDirectoryName(target) ?? target, $".{System.IO.Path.GetFileName(target)}{DurableFile.TemporarySuffix}");
        var isNew = !Directory.Exists(path);
        TargetFolder.Make(path, given);
        FileStream? journal = null;
        try
        {
            journal = Lock(path, given);
            var found = new StreamReader(journal, leaveOpen: true).ReadToEnd();
            // Without the journal's line nobody knows whose files these are.
            var isSame = found == conversion;
            if (resume && found.Length > 0 && !isSame)
                throw new InvalidDataException($"Convert: what was left in {Quote(path)} belongs to another source or other options. Convert again without --resume.");
            foreach (var name in NamesIn(path).ToList())
                if (!resume || !isSame || name.EndsWith(DurableFile.TemporarySuffix, StringComparison.Ordinal)) File.Delete(System.IO.Path.Combine(path, name));
            if (!isSame)
            {
                journal.SetLength(0);
                journal.Write(Encoding.UTF8.GetBytes(conversion));
                journal.Flush(flushToDisk: true);
            }
            return new PartialFolder(path, journal);
        }
        catch
        {
            journal?.Dispose();
            if (isNew) SaveFolder.Remove(path);
            throw;
        }
    }

    /// <summary>Gives the folder, which is whole, the target's name; <paramref name="isCheckpoint"/>: one that this program reads.</summary>
    public void BecomeTarget(string target, bool isCheckpoint = true) => BecomeTarget(Path, target, isCheckpoint);

    /// <summary>As <see cref="BecomeTarget(string, bool)"/>, for a folder that has a journal whoever made it.</summary>
    public static void BecomeTarget(string folder, string target, bool isCheckpoint = true)
    {
        DurableFile.SyncFolder(folder);
        File.Delete(System.IO.Path.Combine(folder, JournalFile));
        // What cannot be opened is not handed out.
        if (isCheckpoint) CheckpointDirectory.Open(folder).Dispose();
        if (Directory.Exists(target)) Directory.Delete(target);
        Directory.Move(folder, target);
        DurableFile.SyncFolder(System.IO.Path.GetDirectoryName(target) ?? target);
    }

    /// <summary>Removes it with all that is in it, as far as the disk allows.</summary>
    public void Remove() => SaveFolder.Remove(Path);

    /// <summary>Lets another conversion have it.</summary>
    public void Dispose() => _journal.Dispose();

    private static IEnumerable<string> NamesIn(string folder) =>
        Directory.EnumerateFiles(folder).Select(path => System.IO.Path.GetFileName(path)!).Where(name => name != JournalFile);

    private static FileStream Lock(string path, string given)
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(path, JournalFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException fault) when (fault.HResult == IsLocked)
        {
            throw new InvalidDataException($"Convert: {Quote(path)} is in use by another conversion. Let it end, or choose another target.", fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"Convert: {Quote(given)} cannot be written: {fault.Message.ReplaceLineEndings(" ")} Choose another place.", fault);
        }
    }
}
