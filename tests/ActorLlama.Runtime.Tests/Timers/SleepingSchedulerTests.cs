using System.Collections.Concurrent;
using ActorLlama.Runtime.Timers;
using Akka.Actor;
using Akka.Configuration;

namespace ActorLlama.Runtime.Tests.Timers;

public sealed class SleepingSchedulerTests : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(20);

    public SleepingSchedulerTests()
        : base(ConfigurationFactory.ParseString($$"""
            akka { loglevel = ERROR, stdout-loglevel = OFF }
            akka.scheduler { implementation = "{{typeof(SleepingScheduler).FullName}}, ActorLlama.Runtime", tick-duration = 10ms }
            """))
    {
    }

    [Fact]
    public async Task The_system_takes_it_and_tells_once_or_again_and_again_until_cancelled()
    {
        Assert.IsType<SleepingScheduler>(Sys.Scheduler);
        Sys.Scheduler.ScheduleTellOnce(s_soon, TestActor, "once", TestActor);
        await ExpectMsgAsync("once", s_wait);
        using var cancelable = new Cancelable(Sys.Scheduler);
        Sys.Scheduler.ScheduleTellRepeatedly(TimeSpan.Zero, s_soon, TestActor, "again", TestActor, cancelable);
        for (var i = 0; i < 3; i++) await ExpectMsgAsync("again", s_wait);
        cancelable.Cancel();
        Sys.Scheduler.ScheduleTellOnce(10 * s_soon, TestActor, "later", TestActor);
        // Turns that were under way.
        await FishForMessageAsync(message => message is "later", s_wait);
        await ExpectNoMsgAsync(10 * s_soon);
    }

    [Fact]
    public async Task A_timer_that_is_due_earlier_wakes_the_thread_that_waits_for_a_later_one()
    {
        Sys.Scheduler.ScheduleTellOnce(TimeSpan.FromHours(1), TestActor, "late", TestActor);
        Sys.Scheduler.ScheduleTellOnce(s_soon, TestActor, "early", TestActor);
        await ExpectMsgAsync("early", s_wait);
    }

    [Fact]
    public async Task Timers_that_many_threads_set_all_run_on_one_thread_and_never_early()
    {
        const int Threads = 4, Each = 500;
        var ran = new ConcurrentBag<(bool IsEarly, string? Thread)>();
        using var all = new CountdownEvent(Threads * Each);
        var setters = Enumerable.Range(0, Threads).Select(seed => new Thread(() =>
        {
            var random = new Random(seed);
            for (var i = 0; i < Each; i++)
            {
                var due = Sys.Scheduler.HighResMonotonicClock + TimeSpan.FromMilliseconds(random.Next(100));
                Sys.Scheduler.Advanced.ScheduleOnce(due - Sys.Scheduler.HighResMonotonicClock is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero, () =>
                {
                    ran.Add((Sys.Scheduler.HighResMonotonicClock < due, Thread.CurrentThread.Name));
                    all.Signal();
                });
            }
        })).ToArray();
        foreach (var setter in setters) setter.Start();
        await AwaitConditionAsync(() => Task.FromResult(all.IsSet), s_wait);
        Assert.Equal((false, "timers"), Assert.Single(ran.Distinct()));
    }

    [Fact]
    public async Task What_an_action_throws_is_logged_and_later_timers_run()
    {
        await EventFilter.Exception<InvalidTimeZoneException>().ExpectOneAsync(s_wait, () =>
        {
            Sys.Scheduler.Advanced.ScheduleOnce(TimeSpan.Zero, () => throw new InvalidTimeZoneException("boom"));
            return Task.CompletedTask;
        });
        Sys.Scheduler.ScheduleTellOnce(s_soon, TestActor, "still here", TestActor);
        await ExpectMsgAsync("still here", s_wait);
    }

    [Fact]
    public void When_it_ends_what_waits_runs_once_and_nothing_can_be_scheduled()
    {
        var scheduler = new SleepingScheduler(Sys.Settings.Config, Sys.Log);
        var runs = 0;
        using var cancelled = new Cancelable(Sys.Scheduler);
        ((IScheduler)scheduler).Advanced.ScheduleRepeatedly(TimeSpan.FromHours(1), TimeSpan.FromHours(1), () => runs++);
        ((IScheduler)scheduler).Advanced.ScheduleOnce(TimeSpan.FromHours(2), () => runs += 100, cancelled);
        cancelled.Cancel();
        scheduler.Dispose();
        scheduler.Dispose();
        Assert.Equal(1, runs);
        Assert.Throws<SchedulerException>(() => ((IScheduler)scheduler).Advanced.ScheduleOnce(TimeSpan.Zero, () => { }));
    }
}
