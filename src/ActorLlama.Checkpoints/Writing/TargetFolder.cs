using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>The folder that a checkpoint is written into, and what is asked of it beforehand. Faults are <see cref="InvalidDataException"/>s.</summary>
internal static class TargetFolder
{
    /// <summary>The full path of the folder that a person named.</summary>
    public static string PathOf(string given) => string.IsNullOrWhiteSpace(given)
        ? throw new InvalidDataException("Checkpoint: the folder to write has no name. Name a new or empty folder.")
        : Path.TrimEndingDirectorySeparator(Path.GetFullPath(given));

    /// <summary>The innermost folder on the way to a path that is there already.</summary>
    public static string ExistingAbove(string path)
    {
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { } parent) path = parent;
        return path;
    }

    public static void Make(string path, string given)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException(
                $"Checkpoint: {Quote(given)} cannot be made: {fault.Message.ReplaceLineEndings(" ")} Choose another place.", fault);
        }
    }

    public static void RequireFree(string target, string given)
    {
        if (File.Exists(target))
            throw new InvalidDataException($"Checkpoint: {Quote(given)} is a file; a folder is written. Choose another name.");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).FirstOrDefault() is { } found)
            throw new InvalidDataException(
                $"Checkpoint: folder {Quote(given)} holds {Quote(Path.GetFileName(found))}; "
                + "a checkpoint is written into a new or empty folder. Choose another name.");
    }

    public static void RequireRoom(string parent, string given, long bytes)
    {
        var free = new DriveInfo(parent).AvailableFreeSpace;
        if (bytes > free)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(given)} needs {bytes} bytes, the disk has {free} free. Free some or choose another disk.");
    }
}
