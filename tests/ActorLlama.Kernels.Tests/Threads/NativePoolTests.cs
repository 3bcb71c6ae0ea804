namespace ActorLlama.Kernels.Tests;

public sealed class NativePoolTests
{
    [Fact]
    public void A_returned_block_is_rented_again_and_nothing_is_counted_twice()
    {
        using var pool = new NativePool();
        var first = pool.Rent(5000);
        Assert.Equal(0, first % 64);
        Assert.InRange(pool.RentedBytes, 5000, 8192);
        pool.Return(first, 5000);
        Assert.Equal(0, pool.RentedBytes);
        Assert.Equal(first, pool.Rent(5010));
        Assert.NotEqual(first, pool.Rent(5010));
    }

    [Fact]
    public void It_keeps_what_was_out_at_once_and_not_a_block_of_every_size_it_saw()
    {
        using var pool = new NativePool();
        for (var rows = 1; rows <= 256; rows++)
        {
            long[] bytes = [rows * 768L, rows * 1024L, rows * 4096L];
            var blocks = bytes.Select(pool.Rent).ToArray();
            for (var i = 0; i < bytes.Length; i++) pool.Return(blocks[i], bytes[i]);
        }

        // At once there were at most 1 MiB + 256 KiB + 192 KiB.
        Assert.InRange(pool.IdleBytes, 1 << 20, 3 << 20);
    }

    [Fact]
    public void A_block_for_which_there_is_no_memory_is_not_rented()
    {
        using var pool = new NativePool();
        Assert.Throws<OutOfMemoryException>(() => pool.Rent(1L << 60));
        Assert.Equal(0, pool.RentedBytes);
    }

    [Fact]
    public void A_block_may_outlive_the_pool()
    {
        var pool = new NativePool();
        var block = pool.Rent(100);
        pool.Dispose();
        pool.Return(block, 100);
        Assert.Throws<ObjectDisposedException>(() => pool.Rent(100));
    }
}
