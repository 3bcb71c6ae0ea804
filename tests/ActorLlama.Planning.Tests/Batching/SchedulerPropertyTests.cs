using FsCheck;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>Whatever happens, in whatever order.</summary>
public sealed class SchedulerPropertyTests
{
    [Property(MaxTest = 60, EndSize = 1_000_000)]
    public void Every_sequence_runs_in_order_samples_once_stays_in_budget_and_ends_freed(NonNegativeInt seed) => new SchedulerWorld(seed.Get).Play();

    [Fact]
    public void These_worlds_take_kv_away_share_it_and_keep_it()
    {
        var loads = Enumerable.Range(0, 40).Select(seed =>
        {
            var world = new SchedulerWorld(seed);
            world.Play();
            return world.Load;
        }).ToList();
        Assert.InRange(loads.Count(l => l.Preemptions > 0), 3, 40);
        Assert.InRange(loads.Count(l => l.ReusedPositions > 0), 5, 40);
        Assert.InRange(loads.Count(l => l.Whole.Held > 0), 5, 40);
    }
}
