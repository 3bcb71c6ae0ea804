using System.Globalization;
using System.Runtime.InteropServices;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class NativeHeapTests
{
    private const int Blocks = 8000, BlockBytes = 48 << 10;

    [Fact]
    public void What_is_freed_between_blocks_in_use_goes_back_to_the_system()
    {
        if (!OperatingSystem.IsLinux()) return;
        var blocks = new nint[Blocks];
        for (var i = 0; i < Blocks; i++)
        {
            blocks[i] = (nint)NativeMemory.Alloc(BlockBytes);
            new Span<byte>((void*)blocks[i], BlockBytes).Fill(1);
        }

        // One of a hundred stays, so that nothing shrinks from its end.
        for (var i = 0; i < Blocks; i++)
            if (i % 100 != 99) NativeMemory.Free((void*)blocks[i]);
        var kept = PrivateBytes();
        NativeHeap.Trim();
        // Other tests may take some meanwhile.
        Assert.True(kept - PrivateBytes() > (long)Blocks * BlockBytes / 2, $"{kept} bytes before, {PrivateBytes()} after");
        for (var i = 99; i < Blocks; i += 100) NativeMemory.Free((void*)blocks[i]);
    }

    private static long PrivateBytes() =>
        long.Parse(File.ReadLines("/proc/self/status").Single(l => l.StartsWith("RssAnon:", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
}
