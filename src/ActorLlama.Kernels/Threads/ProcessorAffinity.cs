using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>Which processors a thread may run on, by Linux's sched_setaffinity(2). Elsewhere nothing is known and nothing is set.</summary>
public static unsafe partial class ProcessorAffinity
{
    /// <summary>Processors that a mask has room for.</summary>
    private const int Most = 8192;

    /// <summary>What the calling thread may use, ascending; empty where the system does not tell.</summary>
    public static IReadOnlyList<int> OfThisThread()
    {
        if (!OperatingSystem.IsLinux()) return [];
        var mask = stackalloc ulong[Most / 64];
        new Span<ulong>(mask, Most / 64).Clear();
        return GetAffinity(0, Most / 8, mask) != 0 ? [] : Read(mask);

        static int[] Read(ulong* mask)
        {
            var processors = new List<int>();
            for (var i = 0; i < Most; i++)
                if ((mask[i / 64] >> (i % 64) & 1) != 0) processors.Add(i);
            return [.. processors];
        }
    }

    /// <summary>Keeps the calling thread on these processors. False where the system does not allow it; then it runs where it ran.</summary>
    public static bool Keep(ReadOnlySpan<int> processors)
    {
        if (!OperatingSystem.IsLinux()) return false;
        var mask = stackalloc ulong[Most / 64];
        new Span<ulong>(mask, Most / 64).Clear();
        foreach (var processor in processors) mask[processor / 64] |= 1ul << (processor % 64);
        return SetAffinity(0, Most / 8, mask) == 0;
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, ulong* mask);
}
