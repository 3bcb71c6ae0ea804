using System.Collections.Immutable;

namespace ActorLlama.Benchmarks.Memory;

/// <summary>When memory is flat: nothing of a session is left at rest, and the second half of a run holds no more than the first.</summary>
internal static class MemoryRules
{
    private const double Growth = 1.05;
    private const int HandleNoise = 4;

    public static ImmutableArray<string> Faults(IReadOnlyList<MemorySample> samples)
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        foreach (var sample in samples.Where(s => s.Activations + s.Payloads > 0)) faults.Add($"left at rest: {sample}");
        // The first quarter warms up: compilation, pools, the retained prefixes of the KV cache.
        var warm = samples.Skip(samples.Count / 4).ToArray();
        var (early, late) = (warm[..(warm.Length / 2)], warm[(warm.Length / 2)..]);
        Compare("handles", s => s.Handles, HandleNoise);
        Compare("private bytes", s => s.PrivateBytes, early.Max(s => s.PrivateBytes) * (Growth - 1));
        return faults.ToImmutable();

        void Compare(string what, Func<MemorySample, long> of, double noise)
        {
            var (before, after) = (early.Max(of), late.Max(of));
            if (after > before + noise) faults.Add($"{what} grew from {before} to {after}");
        }
    }
}
