using System.Collections.Immutable;
using System.Text;

namespace ActorLlama.Cli;

/// <summary>What processes have noted of their phases, in a folder of theirs: lines of a phase and a step, the last the present one.</summary>
internal sealed class TrainingNotes(string folder)
{
    private const int TailBytes = 1024;
    private static readonly string[] s_writing = ["write", "written"], s_deciding = ["decide", "decided"], s_manifest = ["manifest", "manifested"];
    private static readonly string[] s_besides = [.. s_writing, .. s_deciding, .. s_manifest];

    /// <summary>The step in whose phase the process is; null when it is in another one. Exact only while the process is stopped.</summary>
    public long? StepIn(TrainingPhase phase, int pid)
    {
        foreach (var file in FilesOf(pid))
        {
            // A device that writes a checkpoint also is in a phase of a step.
            Func<string, bool> isBeside = phase switch
            {
                TrainingPhase.Write => s_writing.Contains,
                TrainingPhase.Decide => s_deciding.Contains,
                TrainingPhase.Manifest => s_manifest.Contains,
                _ => name => !s_besides.Contains(name),
            };
            if (Parse(Tail(file)).LastOrDefault(note => isBeside(note.Phase)) is { Phase: not null } last && last.Phase.Equals($"{phase}", StringComparison.OrdinalIgnoreCase)) return last.Step;
        }

        return null;
    }

    /// <summary>How often the process's devices have begun to load what a plan gives to them.</summary>
    public int LoadsOf(int pid) => FilesOf(pid).Sum(file => Parse(File.ReadAllText(file)).Count(note => note.Phase == "load"));

    /// <summary>Where a device has applied a step twice, left one out, or applied another before one was whole: one sentence each.</summary>
    public IEnumerable<string> Broken() => Directory.EnumerateFiles(folder).SelectMany(file => Broken(Path.GetFileName(file), Parse(File.ReadAllText(file))));

    internal static IEnumerable<string> Broken(string who, IEnumerable<(string Phase, long Step)> notes)
    {
        var (next, applying) = (-1L, false);
        foreach (var (phase, step) in notes)
            switch (phase)
            {
                case "load": (next, applying) = (step, false); break;
                case "commit" when applying: yield return $"{who} committed step {step} while it applied step {next}"; break;
                case "commit" when step != next: yield return $"{who} committed step {step} where step {next} was next"; break;
                case "commit": applying = true; break;
                case "applied" when !applying || step != next: yield return $"{who} applied step {step} without having begun to"; break;
                case "applied": (next, applying) = (step + 1, false); break;
            }
    }

    internal static ImmutableArray<(string Phase, long Step)> Parse(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).Where(words => words.Length == 2).Select(words => (words[0], long.Parse(words[1])))];

    private IEnumerable<string> FilesOf(int pid) => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, $"{pid}-*") : [];

    /// <summary>The last whole lines.</summary>
    private static string Tail(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var skipped = Math.Max(0, stream.Length - TailBytes);
        stream.Position = skipped;
        var bytes = new byte[TailBytes];
        var text = Encoding.ASCII.GetString(bytes, 0, stream.ReadAtLeast(bytes, TailBytes, throwOnEndOfStream: false));
        return skipped == 0 ? text : text[(text.IndexOf('\n') + 1)..];
    }
}
