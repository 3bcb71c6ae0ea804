namespace ActorLlama.Kernels.Tests.Threads;

/// <summary>Whether a thread watches before it sleeps.</summary>
public sealed class WatchfulWaitTests
{
    [Fact]
    public void Work_that_is_there_is_seen_at_once()
    {
        var looks = 0;
        Assert.True(new WatchfulWait(() => ++looks > 0, spins: 10).Watch());
        Assert.Equal(1, looks);
    }

    [Fact]
    public void After_a_long_sleep_it_sleeps_again_at_once()
    {
        var looks = 0;
        var wait = new WatchfulWait(() => ++looks < 0);
        wait.FallAsleep();
        Thread.Sleep(5);
        wait.WakeUp();
        Assert.False(wait.Watch());
        Assert.Equal(1, looks);
    }

    [Fact]
    public void After_a_short_sleep_it_watches_for_a_bounded_time()
    {
        // A sleep is long where others took the processor meanwhile: then again.
        for (var round = 0; round < 10_000; round++)
        {
            var looks = 0;
            var wait = new WatchfulWait(() => ++looks < 0);
            wait.FallAsleep();
            wait.WakeUp();
            Assert.False(wait.Watch());
            if (looks > 10) return;
        }

        Assert.Fail("It never watched.");
    }
}
