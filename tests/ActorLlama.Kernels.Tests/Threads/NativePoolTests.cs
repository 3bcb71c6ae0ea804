namespace ActorLlama.Kernels.Tests;

public sealed class NativePoolTests
{
    [Fact]
    public void A_returned_block_is_rented_again_and_nothing_is_counted_twice()
    {
        using var pool = new NativePool();
        var first = pool.Rent(5000);
        Assert.Equal(0, first % 64);
        Assert.InRange(pool.RentedBytes, 5000, 6000);
        pool.Return(first, 5000);
        Assert.Equal(0, pool.RentedBytes);
        Assert.Equal(first, pool.Rent(5010));
        Assert.NotEqual(first, pool.Rent(5010));
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
