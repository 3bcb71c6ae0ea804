using System.Globalization;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>What the machine's processors did for others than this process and its children: a run beside other work measures that work.</summary>
internal readonly record struct Disturbance(long BusyTicks, long OwnTicks, DateTime At)
{
    /// <summary>Linux counts processor time in hundredths of a second wherever it shows it.</summary>
    private const double TicksPerSecond = 100;

    public static Disturbance Now() => new(Busy(), Own(), DateTime.UtcNow);

    /// <summary>The share of the machine that others had since <paramref name="before"/>.</summary>
    public double ShareOfOthersSince(Disturbance before) =>
        (BusyTicks - before.BusyTicks - (OwnTicks - before.OwnTicks)) / TicksPerSecond / Environment.ProcessorCount / Math.Max(0.01, (At - before.At).TotalSeconds);

    private static long Busy()
    {
        // cpu user nice system idle iowait irq softirq steal …
        var ticks = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(Number).ToArray();
        return ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
    }

    private static long Own()
    {
        var parents = new Dictionary<int, (int Parent, long Ticks)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Read(folder) is { } process) parents[id] = process;
        return parents.Where(process => IsOurs(process.Key, parents)).Sum(process => process.Value.Ticks);
    }

    private static bool IsOurs(int id, Dictionary<int, (int Parent, long Ticks)> parents)
    {
        while (id != Environment.ProcessId)
        {
            if (!parents.TryGetValue(id, out var process) || process.Parent == 0) return false;
            id = process.Parent;
        }
        return true;
    }

    private static (int Parent, long Ticks)? Read(string folder)
    {
        try
        {
            // The name in brackets may hold anything; after it: state, parent, …, own and ended children's time from the 12th on.
            var text = File.ReadAllText(Path.Combine(folder, "stat"));
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return ((int)Number(fields[1]), Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]));
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return null;
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
