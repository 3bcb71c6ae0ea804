using System.Text;

namespace ActorLlama.Cli;

/// <summary>
/// What was typed in earlier runs: one message a line, line breaks written as <c>\n</c>. Bounded; readable by its owner only. A file that cannot be read or
/// written is told once and changes nothing else.
/// </summary>
internal sealed class HistoryFile(string path)
{
    private const int LongestMessage = 1 << 16;
    private const long LargestFile = 1 << 20;
    private bool _isBroken;

    /// <summary><c>$XDG_STATE_HOME/actorllama/history</c>, where that is not set <c>~/.local/state/actorllama/history</c>.</summary>
    public static string DefaultPath { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } state && Path.IsPathRooted(state)
            ? state
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state"),
        "actorllama", "history");

    /// <summary>The last messages, the oldest first; and what went wrong, or null.</summary>
    public (IReadOnlyList<string> Messages, string? Fault) Read()
    {
        try
        {
            if (!File.Exists(path)) return ([], null);
            var lines = File.ReadAllLines(path, Encoding.UTF8);
            var kept = lines.TakeLast(LineBuffer.MaxHistory).ToList();
            if (lines.Length > 2 * LineBuffer.MaxHistory || new FileInfo(path).Length > LargestFile) Shorten(kept);
            return (kept.ConvertAll(Unescape), null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ([], Broken("read", e));
        }
    }

    /// <summary>Adds a message; what went wrong, or null.</summary>
    public string? Add(string message)
    {
        if (_isBroken || string.IsNullOrWhiteSpace(message) || message.Length > LongestMessage) return null;
        try
        {
            _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var file = Open(path, FileMode.Append);
            file.Write(Encoding.UTF8.GetBytes(Escape(message) + "\n"));
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Broken("written", e);
        }
    }

    private void Shorten(List<string> lines)
    {
        // Long messages: fewer of them.
        var bytes = 0L;
        var from = lines.Count;
        while (from > 0 && (bytes += Encoding.UTF8.GetByteCount(lines[from - 1]) + 1) <= LargestFile / 2) from--;
        var next = path + ".new";
        using (var file = Open(next, FileMode.Create))
            file.Write(Encoding.UTF8.GetBytes(string.Concat(lines.Skip(from).Select(line => line + "\n"))));
        File.Move(next, path, overwrite: true);
    }

    /// <summary>For its owner alone, where files have modes.</summary>
    private static FileStream Open(string file, FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new(file, options);
    }

    private string Broken(string what, Exception e)
    {
        _isBroken = true;
        return $"History: \"{path}\" cannot be {what}: {e.Message.TrimEnd('.')}. What is typed now is not remembered.";
    }

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\r", "", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Unescape(string line)
    {
        var text = new StringBuilder(line.Length);
        for (var i = 0; i < line.Length; i++)
            if (line[i] != '\\' || i + 1 == line.Length) text.Append(line[i]);
            else text.Append(line[++i] == 'n' ? '\n' : line[i]);
        return text.ToString();
    }
}
