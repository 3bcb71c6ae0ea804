using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>The C library's heap, which all native code of the process shares.</summary>
public static partial class NativeHeap
{
    /// <summary>M_ARENA_MAX.</summary>
    private const int MostHeaps = -8;

    /// <summary>
    /// Gives the whole pages of what is freed back to the system. glibc keeps them, up to twice the largest piece that was ever freed, in each of its heaps.
    /// Takes about a millisecond; other threads wait for their heap meanwhile.
    /// </summary>
    public static void Trim()
    {
        if (OperatingSystem.IsLinux()) _ = MallocTrim(0);
    }

    /// <summary>
    /// To be called before threads allocate. glibc lets there be eight heaps a core, one per thread that allocates at the same time as others; each keeps what was freed in it. As
    /// many heaps as cores are enough for code that takes memory seldom and in large pieces.
    /// </summary>
    public static void LimitHeaps()
    {
        if (OperatingSystem.IsLinux()) _ = SetOption(MostHeaps, Environment.ProcessorCount);
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint pad);
}
