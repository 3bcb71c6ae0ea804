using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>When memory is flat: nothing of a session is left at rest, and of the warm half of a run the later part holds no more than the earlier.</summary>
internal static class MemoryRules
{
    private const double Growth = 0.05;
    private const int HandleNoise = 4;

    /// <summary>Bytes, in hexadecimal, that may be allocated before the garbage collector of a node runs.</summary>
    private const string Generation0 = "400000";

    /// <summary>
    /// Has nodes that are started from now on collect garbage soon: left alone the collector lets tens of MiB gather before it runs, now more, now less; at rest they would hide what is
    /// lost.
    /// </summary>
    public static void HoldCollector() => Environment.SetEnvironmentVariable("DOTNET_GCGen0MaxBudget", Generation0);

    public static ImmutableArray<string> Faults(IReadOnlyList<MemorySample> samples)
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        foreach (var sample in samples.Where(s => s.Activations + s.Payloads + s.Waiting > 0)) faults.Add($"left at rest, at {sample.At}: {sample}");
        var (early, late) = Halves(samples);
        var (handles, more) = (early.Max(s => s.Handles), late.Max(s => s.Handles));
        if (more > handles + HandleNoise) faults.Add($"handles grew from {handles} to {more}");
        // A single figure catches a collection before or after it; the middle one of several does not.
        var (before, after) = (MedianBytes(early), MedianBytes(late));
        if (after > before * (1 + Growth)) faults.Add($"private bytes grew from {before} to {after}");
        return faults.ToImmutable();
    }

    /// <summary>The least that every step, or second, would have to lose for <see cref="Faults"/> to tell of it.</summary>
    public static double SeenPerUnit(IReadOnlyList<MemorySample> samples)
    {
        var (early, late) = Halves(samples);
        return MedianBytes(early) * Growth / (late.Average(s => s.At) - early.Average(s => s.At));
    }

    /// <summary>The first half warms up: hot code is compiled again, threads and their malloc arenas come, the managed heap's older generations fill.</summary>
    private static (MemorySample[] Early, MemorySample[] Late) Halves(IReadOnlyList<MemorySample> samples)
    {
        var warm = samples.Skip(samples.Count / 2).ToArray();
        return (warm[..(warm.Length / 2)], warm[(warm.Length / 2)..]);
    }

    private static long MedianBytes(MemorySample[] samples) => samples.Select(s => s.PrivateBytes).Order().ElementAt(samples.Length / 2);
}
