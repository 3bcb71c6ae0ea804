using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>The C library's heap, which all native code of the process shares.</summary>
public static partial class NativeHeap
{
    /// <summary>
    /// Gives the whole pages of what is freed back to the system. glibc keeps them, up to twice the largest piece that was ever freed, in each of eight heaps per core.
    /// Takes about a millisecond; other threads wait for their heap meanwhile.
    /// </summary>
    public static void Trim()
    {
        if (OperatingSystem.IsLinux()) _ = MallocTrim(0);
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint pad);
}
