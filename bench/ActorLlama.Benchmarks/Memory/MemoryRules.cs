using System.Collections.Immutable;

namespace ActorLlama.Benchmarks.Memory;

/// <summary>When memory is flat: nothing of a session is left at rest, and of the warm half of a run the later part holds no more than the earlier.</summary>
internal static class MemoryRules
{
    private const double Growth = 0.05;
    private const int HandleNoise = 4;

    public static ImmutableArray<string> Faults(IReadOnlyList<MemorySample> samples)
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        foreach (var sample in samples.Where(s => s.Activations + s.Payloads > 0)) faults.Add($"left at rest: {sample}");
        var (early, late) = Halves(samples);
        var (handles, more) = (early.Max(s => s.Handles), late.Max(s => s.Handles));
        if (more > handles + HandleNoise) faults.Add($"handles grew from {handles} to {more}");
        // A single figure catches a collection before or after it; the middle one of several does not.
        var (before, after) = (MedianBytes(early), MedianBytes(late));
        if (after > before * (1 + Growth)) faults.Add($"private bytes grew from {before} to {after}");
        return faults.ToImmutable();
    }

    /// <summary>The least that every step would have to lose for <see cref="Faults"/> to tell of it.</summary>
    public static double SeenPerStep(IReadOnlyList<MemorySample> samples)
    {
        var (early, late) = Halves(samples);
        return MedianBytes(early) * Growth / (late.Average(s => s.Steps) - early.Average(s => s.Steps));
    }

    /// <summary>The first half warms up: hot code is compiled again, threads and their malloc arenas come, the managed heap's older generations fill.</summary>
    private static (MemorySample[] Early, MemorySample[] Late) Halves(IReadOnlyList<MemorySample> samples)
    {
        var warm = samples.Skip(samples.Count / 2).ToArray();
        return (warm[..(warm.Length / 2)], warm[(warm.Length / 2)..]);
    }

    private static long MedianBytes(MemorySample[] samples) => samples.Select(s => s.PrivateBytes).Order().ElementAt(samples.Length / 2);
}
