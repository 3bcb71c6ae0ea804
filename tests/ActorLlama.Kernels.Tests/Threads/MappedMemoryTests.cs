using System.Globalization;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class MappedMemoryTests
{
    // More than any other piece of a test: nothing else can cover it.
    private const long Vast = 64L << 30;

    [Theory]
    [InlineData(1, 64)]
    [InlineData(4097, 64)]
    [InlineData((2 << 20) - 1, 64)]
    [InlineData(2 << 20, 2 << 20)]
    [InlineData((5 << 20) + 3, 2 << 20)]
    public void A_piece_is_aligned_zeroed_and_writable_to_its_last_byte(int bytes, int alignment)
    {
        using var memory = new MappedMemory(bytes);
        Assert.Equal(0, memory.Address % alignment);
        var all = new Span<byte>((void*)memory.Address, bytes);
        Assert.False(all.ContainsAnyExcept((byte)0));
        all.Fill(7);
    }

    [Fact]
    public void Pieces_do_not_overlap()
    {
        MappedMemory[] pieces = [.. Enumerable.Range(0, 40).Select(i => new MappedMemory((i % 4 + 1L) << 20))];
        foreach (var (i, piece) in pieces.Index()) new Span<byte>((void*)piece.Address, (i % 4 + 1) << 20).Fill((byte)i);
        foreach (var (i, piece) in pieces.Index()) Assert.False(new Span<byte>((void*)piece.Address, (i % 4 + 1) << 20).ContainsAnyExcept((byte)i));
        foreach (var piece in pieces) piece.Dispose();
    }

    [Fact]
    public void What_is_disposed_is_gone_from_the_process_at_once_and_once()
    {
        if (!OperatingSystem.IsLinux()) return;
        var memory = new MappedMemory(Vast, sparse: true);
        var address = memory.Address;
        ((byte*)address)[Vast / 2] = 1;
        Assert.True(IsMapped(address, Vast));
        memory.Dispose();
        Assert.False(IsMapped(address, Vast));
        memory.Dispose();
        Assert.Equal(0, memory.Address);
    }

    [Fact]
    public void A_range_that_is_forgotten_is_empty_and_its_neighbours_are_not()
    {
        if (!OperatingSystem.IsLinux()) return;
        var page = Environment.SystemPageSize;
        using var memory = new MappedMemory(4L * page, sparse: true);
        new Span<byte>((void*)memory.Address, 4 * page).Fill(1);
        // From within the first page to within the last one.
        memory.Forget(page / 2, 3L * page);
        var all = new ReadOnlySpan<byte>((void*)memory.Address, 4 * page);
        Assert.False(all[..page].ContainsAnyExcept((byte)1));
        Assert.False(all[page..(3 * page)].ContainsAnyExcept((byte)0));
        Assert.False(all[(3 * page)..].ContainsAnyExcept((byte)1));
    }

    [Fact]
    public void What_the_system_cannot_give_is_a_lack_of_memory_that_names_the_bytes()
    {
        if (!OperatingSystem.IsLinux()) return;
        var lack = Assert.Throws<InsufficientMemoryException>(() => new MappedMemory(1L << 60));
        Assert.Contains($"{1L << 60} bytes", lack.Message, StringComparison.Ordinal);
    }

    private static bool IsMapped(nint address, long bytes) => File.ReadLines("/proc/self/maps").Any(line =>
    {
        var range = line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-');
        var (first, end) = (long.Parse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), long.Parse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        return first <= address && end >= address + bytes;
    });
}
