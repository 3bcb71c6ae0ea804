using System.Runtime.InteropServices;
using ActorLlama.Runtime.Devices;

namespace ActorLlama.Runtime.Tests.Devices;

public sealed class DeviceFitnessTests
{
    [Fact]
    public void A_device_is_short_of_memory_when_it_ran_out_three_times_within_a_minute_and_says_so_once()
    {
        var fitness = new DeviceFitness();
        Assert.Null(fitness.RanOut("a", 0));
        Assert.Null(fitness.RanOut("b", 59_000));
        Assert.Null(fitness.RanOut("c", 60_001));
        Assert.Equal("it ran out of memory 3 times within a minute while it computed: d", fitness.RanOut("d", 60_002));
        Assert.Null(fitness.RanOut("e", 60_003));
    }

    [Fact]
    public void It_is_fit_again_after_a_minute_without_want_and_after_twice_as_long_each_time_up_to_an_hour()
    {
        var fitness = new DeviceFitness();
        Assert.Equal(TimeSpan.Zero, fitness.RestLeft(0));
        var now = 0L;
        foreach (var minutes in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            Assert.Null(fitness.RanOut("a", now));
            Assert.Null(fitness.RanOut("b", now));
            Assert.NotNull(fitness.RanOut("c", now));
            Assert.Equal(TimeSpan.FromMinutes(minutes), fitness.RestLeft(now));
            // While it is used for want of others it may run out on: the rest begins anew.
            now += 30_000;
            Assert.Null(fitness.RanOut("d", now));
            now += minutes * 60_000L;
            Assert.Equal(TimeSpan.FromMilliseconds(1), fitness.RestLeft(now - 1));
            Assert.Equal(TimeSpan.Zero, fitness.RestLeft(now));
        }
    }

    [Fact]
    public void A_device_that_could_not_load_a_part_is_not_fit_at_once_and_for_a_minute_without_a_fault()
    {
        var fitness = new DeviceFitness();
        Assert.Equal("no room", fitness.CouldNotLoad("no room", 0));
        Assert.Null(fitness.CouldNotLoad("still none", 20_000));
        Assert.Equal(TimeSpan.FromMinutes(1), fitness.RestLeft(20_000));
        Assert.Equal(TimeSpan.Zero, fitness.RestLeft(80_000));
        Assert.Equal("none again", fitness.CouldNotLoad("none again", 80_000));
        Assert.Equal(TimeSpan.FromMinutes(2), fitness.RestLeft(80_000));
    }

    [Fact]
    public void What_libtorch_throws_for_want_of_memory_is_known_as_that()
    {
        ActorLlama.Kernels.TorchRuntime.EnsureLoaded();
        var thrown = Assert.ThrowsAny<Exception>(() => TorchSharp.torch.empty([1L << 50], TorchSharp.torch.float32).Dispose());
        Assert.True(DeviceFaults.IsOutOfMemory(thrown), $"{thrown.GetType()}: {thrown.Message}");
        Assert.True(DeviceFaults.IsOutOfMemory(new NativeException("CUDA out of memory. Tried to allocate 20.00 GiB.")));
        Assert.True(DeviceFaults.IsOutOfMemory(new InsufficientMemoryException()));
        Assert.False(DeviceFaults.IsOutOfMemory(new NativeException("mat1 and mat2 shapes cannot be multiplied")));
        Assert.False(DeviceFaults.IsOutOfMemory(new InvalidOperationException("out of memory")));
    }

    private sealed class NativeException(string message) : ExternalException(message);
}
