using System.Text;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The hidden folder into which the nodes of a cluster write one checkpoint together. Until it is whole its journal lies in it, so that nobody takes it for a
/// checkpoint; the journal's text, which the one that made it chose, shows the others that it is the same folder on shared storage.
/// </summary>
public static class SaveFolder
{
    /// <summary>Makes the folder and returns its full path. What saves that were cut off have left beside the same target is removed.</summary>
    /// <param name="to">The checkpoint's folder to be; it does not exist yet or is empty.</param>
    /// <param name="save">Identity of this save: plain letters and digits.</param>
    /// <param name="nonce">Text that nobody can know who does not see the folder.</param>
    /// <param name="bytes">Room that is needed.</param>
    /// <exception cref="InvalidDataException">The target is taken or cannot be made, or the disk has no room.</exception>
    public static string Make(string to, string save, string nonce, long bytes)
    {
        var target = TargetFolder.PathOf(to);
        TargetFolder.RequireFree(target, to);
        var parent = Path.GetDirectoryName(target) ?? target;
        TargetFolder.Make(parent, to);
        foreach (var left in Directory.EnumerateDirectories(parent, $".{Path.GetFileName(target)}-*{DurableFile.TemporarySuffix}"))
            if (File.Exists(Path.Combine(left, PartialFolder.JournalFile))) Remove(left);
        TargetFolder.RequireRoom(parent, to, bytes);
        var folder = Path.Combine(parent, $".{Path.GetFileName(target)}-{save}{DurableFile.TemporarySuffix}");
        TargetFolder.Make(folder, to);
        DurableFile.WriteText(Path.Combine(folder, PartialFolder.JournalFile), nonce);
        DurableFile.SyncFolder(folder);
        return folder;
    }

    /// <summary>Throws <see cref="InvalidDataException"/> where the folder is not the one that was made with that nonce.</summary>
    public static void RequireShared(string folder, string nonce)
    {
        var journal = Path.Combine(folder, PartialFolder.JournalFile);
        if (File.Exists(journal) && File.ReadAllText(journal, Encoding.UTF8) == nonce) return;
        throw new InvalidDataException(
            $"Save: folder {Quote(folder)} is not here what the supervisor made there: it is not on storage that all nodes share. Name a folder that is.");
    }

    /// <summary>
    /// Removes it with all that is in it. False when something was left, as when a node was writing a file just then: ask again.
    /// </summary>
    public static bool Remove(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
