using System.Globalization;

namespace ActorLlama.Benchmarks.Clusters;

/// <summary>What processes have used so far, as Linux tells it: processor time, and how often their threads went to sleep. Of ended threads only the time is known.</summary>
internal readonly record struct ProcessActivity(TimeSpan Processor, long Sleeps)
{
    /// <summary>Linux counts processor time in hundredths of a second wherever it shows it.</summary>
    private const double TicksPerSecond = 100;
    private const string SleepsLine = "voluntary_ctxt_switches:";

    public static ProcessActivity Of(IEnumerable<int> processes)
    {
        var (ticks, sleeps) = (0L, 0L);
        foreach (var process in processes)
        {
            // The name in brackets may hold anything; user and system time are the 12th and 13th after it.
            var text = File.ReadAllText($"/proc/{process}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            ticks += Number(fields[11]) + Number(fields[12]);
            sleeps += Directory.EnumerateDirectories($"/proc/{process}/task").Sum(SleepsOf);
        }

        return new(TimeSpan.FromSeconds(ticks / TicksPerSecond), sleeps);
    }

    public ProcessActivity Since(ProcessActivity before) => new(Processor - before.Processor, Sleeps - before.Sleeps);

    private static long SleepsOf(string task)
    {
        try
        {
            return Number(File.ReadLines(Path.Combine(task, "status")).First(line => line.StartsWith(SleepsLine, StringComparison.Ordinal))[SleepsLine.Length..].Trim());
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return 0;
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
