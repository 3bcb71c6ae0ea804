using ActorLlama.Runtime.Timers;
using Akka.Dispatch;

namespace ActorLlama.Runtime.Tests.Timers;

public sealed class TimerQueueTests
{
    private readonly TimerQueue _queue = new(Ms(50));
    private readonly List<TimerEntry> _due = [];

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 50)]
    [InlineData(50, 50)]
    [InlineData(1234, 1250)]
    public void A_timer_is_due_at_the_first_tick_that_is_not_before_its_time(int wanted, int due)
    {
        var entry = Add(wanted);
        Assert.Equal(Ms(due), _queue.Next);
        Assert.Empty(Take(due - 1));
        Assert.Same(entry, Assert.Single(Take(due)));
        Assert.Null(_queue.Next);
    }

    [Fact]
    public void What_repeats_is_due_at_multiples_of_its_interval_whenever_it_began()
    {
        var tenth = Add(30, interval: 100);
        var second = Add(90, interval: 1000);
        var quarter = Add(180, interval: 250);
        List<(int, TimerEntry)> runs = [];
        for (var now = 0; now <= 2000; now += 10) runs.AddRange(Take(now).Select(entry => (now, entry)));
        Assert.Equal([50, .. Enumerable.Range(2, 19).Select(i => 100 * i)], Times(tenth));
        Assert.Equal([100, 1000, 2000], Times(second));
        Assert.Equal([200, 500, 750, 1000, 1250, 1500, 1750, 2000], Times(quarter));

        IEnumerable<int> Times(TimerEntry of) => runs.Where(run => run.Item2 == of).Select(run => run.Item1);
    }

    [Fact]
    public void Two_turns_are_never_less_than_half_an_interval_nor_more_than_one_and_a_half_apart()
    {
        for (var start = 0; start < 1000; start += 7)
        {
            var queue = new TimerQueue(Ms(50));
            queue.Add(new TimerEntry(new ActionRunnable(() => { }), Ms(300), default), Ms(start));
            var first = queue.Next!.Value;
            queue.TakeDue(first, _due);
            Assert.InRange(queue.Next!.Value - first, Ms(150), Ms(450));
        }
    }

    [Fact]
    public void An_interval_that_is_no_multiple_of_the_tick_is_due_at_ticks()
    {
        Add(0, interval: 70);
        Assert.Equal([0, 100, 200, 300], Enumerable.Range(0, 31).Select(i => 10 * i).Where(now => Take(now).Length > 0));
    }

    [Fact]
    public void Turns_that_were_missed_are_not_made_up_for()
    {
        var entry = Add(0, interval: 100);
        Assert.Same(entry, Assert.Single(Take(5_020)));
        Assert.Equal(Ms(5_100), _queue.Next);
    }

    [Fact]
    public void Timers_run_by_time_and_those_of_one_time_in_the_order_in_which_they_came()
    {
        var last = Add(150);
        var first = Add(10);
        var second = Add(40);
        Assert.Equal([first, second, last], Take(1000));
    }

    [Fact]
    public void A_cancelled_timer_never_runs_and_never_repeats()
    {
        using var cancellation = new CancellationTokenSource();
        Add(0, interval: 100, cancellation.Token);
        Assert.Single(Take(0));
        cancellation.Cancel();
        Assert.Empty(Take(100));
        Assert.Null(_queue.Next);
    }

    [Fact]
    public void Cancelled_timers_are_forgotten_before_they_are_due()
    {
        var kept = Add(3_600_000);
        for (var i = 0; i < 10_000; i++)
        {
            using var cancellation = new CancellationTokenSource();
            Add(3_600_000 + i, cancellation: cancellation.Token);
            cancellation.Cancel();
            Assert.InRange(_queue.Count, 1, 257);
        }

        Assert.Same(kept, Assert.Single(Take(4_000_000)));
    }

    private static TimeSpan Ms(int milliseconds) => TimeSpan.FromMilliseconds(milliseconds);

    private TimerEntry Add(int wanted, int interval = 0, CancellationToken cancellation = default)
    {
        var entry = new TimerEntry(new ActionRunnable(() => { }), Ms(interval), cancellation);
        _queue.Add(entry, Ms(wanted));
        return entry;
    }

    private TimerEntry[] Take(int now)
    {
        _due.Clear();
        _queue.TakeDue(Ms(now), _due);
        return [.. _due];
    }
}
