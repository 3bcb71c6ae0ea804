namespace ActorLlama.Kernels.Tests;

public sealed unsafe class BlockPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(131_000)]
    [InlineData(20 << 20)]
    public void Blocks_that_are_out_do_not_overlap(int bytes)
    {
        using var pool = new BlockPool(bytes);
        nint[] blocks = [.. Enumerable.Range(0, 200 / (1 + bytes / (1 << 20))).Select(_ => pool.Rent()).Order()];
        Assert.All(blocks, block => Assert.Equal(0, block % 64));
        Assert.All(blocks.Zip(blocks.Skip(1)), pair => Assert.True(pair.Second - pair.First >= bytes));
        foreach (var block in blocks) new Span<byte>((void*)block, Math.Min(bytes, 4096)).Fill(1);
        Assert.Equal((long)bytes * blocks.Length, pool.RentedBytes);
        foreach (var block in blocks) pool.Return(block);
        Assert.Equal(0, pool.RentedBytes);
    }

    [Fact]
    public void A_returned_block_is_rented_again()
    {
        using var pool = new BlockPool(4096);
        var first = pool.Rent();
        pool.Return(first);
        Assert.Equal(first, pool.Rent());
        Assert.NotEqual(first, pool.Rent());
    }

    [Fact]
    public void A_block_may_outlive_the_pool()
    {
        var pool = new BlockPool(4096);
        var block = pool.Rent();
        pool.Dispose();
        *(byte*)block = 1;
        pool.Return(block);
        Assert.Equal(0, pool.RentedBytes);
        Assert.Throws<ObjectDisposedException>(() => pool.Rent());
    }
}
