using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>
/// Memory for what is large and lives long, as weights and caches: a mapping of its own, zeroed, that takes room only where it is written and is gone from the process when
/// it is disposed. malloc would cut it out of arenas, which keep what is freed and grow while parts of a model come and go. Pieces of 2 MiB and more begin at a multiple of
/// that and ask for pages of that size where the system grants them on request: then a stream of weights meets a new page 512 times less often, which is worth a fifth of the
/// bandwidth (Zen 3).
/// </summary>
public sealed unsafe partial class MappedMemory : IDisposable
{
    private const long HugePageBytes = 2 << 20;
    private const int ReadAndWrite = 3, PrivateAnonymous = 0x22, Uncounted = 0x4000, DontNeed = 4, HugePages = 14, Alignment = 64;
    private readonly long _bytes;

    /// <summary>Maps <paramref name="bytes"/> bytes. Throws <see cref="InsufficientMemoryException"/>.</summary>
    /// <param name="bytes">How many, at least.</param>
    /// <param name="sparse">Most of it may never be written: it is not counted against what the machine has, and its pages are small.</param>
    public MappedMemory(long bytes, bool sparse = false)
    {
        _bytes = Math.Max(1, bytes);
        if (!OperatingSystem.IsLinux()) Address = (nint)NativeMemory.AlignedAlloc((nuint)_bytes, Alignment);
        else if (sparse || _bytes < HugePageBytes) Address = Map(_bytes, sparse ? PrivateAnonymous | Uncounted : PrivateAnonymous);
        else Address = MapHuge();
    }

    public nint Address { get; private set; }

    /// <summary>Gives the room of a range back; what is read there afterwards is undefined.</summary>
    public void Forget(long offset, long bytes)
    {
        // Whole pages only: those at the ends may hold neighbours.
        var page = Environment.SystemPageSize;
        var (first, end) = ((offset + page - 1) / page * page, (offset + bytes) / page * page);
        // A hint, as the other: where it is not heeded, the room stays taken until the end.
        if (OperatingSystem.IsLinux() && first < end) _ = MappedPages.Advise((nint)(Address + first), (nuint)(end - first), DontNeed);
    }

    public void Dispose()
    {
        if (Address == 0) return;
        if (OperatingSystem.IsLinux()) Unmap(Address, _bytes);
        else NativeMemory.AlignedFree((void*)Address);
        Address = 0;
    }

    private nint MapHuge()
    {
        var mapped = Map(_bytes + HugePageBytes, PrivateAnonymous);
        var address = (nint)((mapped + HugePageBytes - 1) / HugePageBytes * HugePageBytes);
        var page = (long)Environment.SystemPageSize;
        var end = (nint)((address + _bytes + page - 1) / page * page);
        if (address > mapped) Unmap(mapped, address - mapped);
        Unmap(end, mapped + _bytes + HugePageBytes - end);
        // Where it is not heeded, the pages are small.
        _ = MappedPages.Advise(address, (nuint)(_bytes / HugePageBytes * HugePageBytes), HugePages);
        return address;
    }

    private nint Map(long bytes, int flags)
    {
        var address = MMap(0, (nuint)bytes, ReadAndWrite, flags, -1, 0);
        return address != -1 ? address : throw new InsufficientMemoryException($"Memory: {_bytes} bytes cannot be had (error {Marshal.GetLastPInvokeError()} of the system).");
    }

    private static void Unmap(nint address, long bytes)
    {
        // Fails only for a range that is none, or where the system has no room to split one: then a range stays mapped for good, which nobody should find out later.
        if (MUnmap(address, (nuint)bytes) != 0) throw new InvalidOperationException($"Memory: {bytes} bytes cannot be given back (error {Marshal.GetLastPInvokeError()} of the system).");
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MMap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MUnmap(nint address, nuint length);
}
