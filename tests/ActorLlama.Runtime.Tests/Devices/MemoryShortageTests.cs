using System.Runtime.InteropServices;
using ActorLlama.Runtime.Devices;

namespace ActorLlama.Runtime.Tests.Devices;

public sealed class MemoryShortageTests
{
    [Fact]
    public void A_device_is_short_of_memory_when_it_ran_out_three_times_within_a_minute_and_says_so_once()
    {
        var shortage = new MemoryShortage();
        Assert.Null(shortage.Count("a", 0));
        Assert.Null(shortage.Count("b", 59_000));
        Assert.Null(shortage.Count("c", 60_001));
        Assert.Equal("it ran out of memory 3 times within a minute while it computed: d", shortage.Count("d", 60_002));
        Assert.Null(shortage.Count("e", 60_003));
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
