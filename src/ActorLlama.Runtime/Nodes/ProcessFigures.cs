using System.Globalization;

namespace ActorLlama.Runtime.Nodes;

/// <summary>What this process holds, as the kernel counts it; zero where there is no /proc.</summary>
internal static class ProcessFigures
{
    private const string StatusFile = "/proc/self/status";
    private const string HandleFolder = "/proc/self/fd";

    /// <summary>Resident bytes that belong to no file: mapped weights are not among them.</summary>
    public static long PrivateBytes() => File.Exists(StatusFile) ? ReadKiB("RssAnon:") << 10 : 0;

    /// <summary>Sockets, pipes and files; not those of code, which the runtime opens late and keeps.</summary>
    public static int Handles() =>
        Directory.Exists(HandleFolder) ? new DirectoryInfo(HandleFolder).EnumerateFileSystemInfos().Count(h => h.LinkTarget?.EndsWith(".dll", StringComparison.Ordinal) is not true) : 0;

    private static long ReadKiB(string name)
    {
        foreach (var line in File.ReadLines(StatusFile))
            if (line.StartsWith(name, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(name.Length).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
        return 0;
    }
}
