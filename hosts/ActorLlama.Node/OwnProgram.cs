using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace ActorLlama.Node;

/// <summary>
/// The program that this process runs, started again in the same process: same id, environment and standard streams, the program and its settings as they are on the disk now.
/// Memory, threads and open files of the old one are gone, whatever state they were in.
/// </summary>
internal static partial class OwnProgram
{
    private const string SeedsKey = "actorllama.cluster.seeds=";

    /// <summary>
    /// Does not return. The command line is the process' own, but for the seeds, which are <paramref name="others"/>: a first seed would begin a cluster of its own.
    /// Throws <see cref="IOException"/> when the program cannot be started.
    /// </summary>
    [DoesNotReturn]
    public static void StartAgain(ImmutableArray<string> others)
    {
        var line = Arguments(File.ReadAllBytes("/proc/self/cmdline"), others);
        Console.Out.Flush();
        Console.Error.Flush();
        // As a shell finds it, by its name: what an update has put there is what starts.
        _ = Execute(line[0], [.. line, null]);
        throw new IOException($"Node: \"{line[0]}\" cannot be started again: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}. Start the node by hand.");
    }

    /// <summary>The command line in the form of <c>/proc/self/cmdline</c>, with these seeds; without any, as it was.</summary>
    internal static ImmutableArray<string> Arguments(byte[] commandLine, ImmutableArray<string> seeds)
    {
        var own = Encoding.UTF8.GetString(commandLine).TrimEnd('\0').Split('\0');
        return seeds.IsEmpty
            ? [.. own]
            : [.. own.Where(a => !a.StartsWith(SeedsKey, StringComparison.Ordinal)), $"{SeedsKey}[{string.Join(',', seeds.Select(s => $"\"{s}\""))}]"];
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string file, string?[] arguments);
}
