using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>Pages of a mapped file. One that cannot be read when it is touched, since its disk has failed or the file was cut short, ends the process (SIGBUS).</summary>
public static partial class MappedPages
{
    /// <summary>MADV_POPULATE_READ, and what it says instead of SIGBUS: EFAULT.</summary>
    private const int PopulateRead = 22, Unreadable = 14;

    /// <summary>
    /// Reads these bytes' pages in, before they are touched: those that cannot be are an <see cref="IOException"/>. Memory that is not of a file stays as it is. Kernels before 5.14 do not know the
    /// call; there, and where pages were dropped meanwhile for want of memory, a touch may still end the process.
    /// </summary>
    public static void BringIn(nint address, long bytes)
    {
        if (!OperatingSystem.IsLinux() || bytes <= 0) return;
        var start = address / Environment.SystemPageSize * Environment.SystemPageSize;
        if (Advise(start, (nuint)(address - start + bytes), PopulateRead) != 0 && Marshal.GetLastPInvokeError() == Unreadable)
            throw new IOException("a page of a mapped file cannot be read: input/output error, or the file was cut short");
    }

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    internal static partial int Advise(nint address, nuint length, int advice);
}
