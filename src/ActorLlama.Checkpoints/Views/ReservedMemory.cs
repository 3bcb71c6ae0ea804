using System.Runtime.InteropServices;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Memory that takes room only where it is written: a tensor of many experts may be reserved whole and filled for the few that are wanted.
/// </summary>
internal sealed unsafe partial class ReservedMemory : IDisposable
{
    private const int ReadAndWrite = 3, PrivateAnonymousUncounted = 0x4022, DontNeed = 4;

    private readonly nuint _bytes;

    public ReservedMemory(long bytes)
    {
        _bytes = (nuint)Math.Max(1, bytes);
        Address = OperatingSystem.IsLinux() ? Map(0, _bytes, ReadAndWrite, PrivateAnonymousUncounted, -1, 0) : (nint)NativeMemory.AlignedAlloc(_bytes, 64);
        if (Address == -1) throw new InsufficientMemoryException($"Checkpoint: {bytes} bytes of memory cannot be reserved (error {Marshal.GetLastPInvokeError()}).");
    }

    public nint Address { get; private set; }

    /// <summary>Gives the room of a range back; what is read there afterwards is undefined.</summary>
    public void Forget(long offset, long bytes)
    {
        // Whole pages only: those at the ends may hold neighbours.
        var page = Environment.SystemPageSize;
        var (first, end) = ((offset + page - 1) / page * page, (offset + bytes) / page * page);
        if (OperatingSystem.IsLinux() && first < end) _ = Advise((nint)(Address + first), (nuint)(end - first), DontNeed);
    }

    public void Dispose()
    {
        if (Address == 0) return;
        if (OperatingSystem.IsLinux()) _ = Unmap(Address, _bytes);
        else NativeMemory.AlignedFree((void*)Address);
        Address = 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
