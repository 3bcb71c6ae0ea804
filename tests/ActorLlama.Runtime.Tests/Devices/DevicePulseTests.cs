using System.Diagnostics;
using ActorLlama.Runtime.Devices;

namespace ActorLlama.Runtime.Tests.Devices;

public sealed class DevicePulseTests
{
    [Fact]
    public void A_device_is_busy_while_it_computes_and_for_a_moment_after_but_not_when_it_is_stuck()
    {
        var pulse = new DevicePulse(stuckAfter: TimeSpan.FromSeconds(60));
        Assert.False(pulse.IsBusy(At(1)));
        pulse.Begin(At(10));
        Assert.True(pulse.IsBusy(At(69.9)));
        Assert.False(pulse.IsBusy(At(70.1)));
        pulse.End(At(80));
        Assert.True(pulse.IsBusy(At(80.4)));
        Assert.False(pulse.IsBusy(At(80.6)));
    }

    private static long At(double seconds) => (long)(seconds * Stopwatch.Frequency);
}
