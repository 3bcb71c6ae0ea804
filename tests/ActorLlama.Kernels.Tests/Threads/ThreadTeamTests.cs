namespace ActorLlama.Kernels.Tests;

public sealed class ThreadTeamTests
{
    /// <summary>So many that some thread is late now and then: it must take nothing of the next job, which has more units.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_unit_of_every_job_runs_once(int threads)
    {
        using var team = new ThreadTeam(threads);
        for (var job = 0; job < 60_000; job++)
        {
            var units = job % 13;
            var runs = new int[units];
            team.For(units, (unit, _) => Interlocked.Increment(ref runs[unit]));
            Assert.True(Array.TrueForAll(runs, count => count == 1), $"job {job}: its units ran {string.Join(", ", runs)} times");
        }
    }

    [Theory]
    [InlineData(1, 0, 4)]
    [InlineData(2, 3, 0)]
    [InlineData(2, 40, 3)]
    [InlineData(5, 7, 200)]
    public void Of_two_jobs_at_once_every_unit_runs_once(int threads, int first, int second)
    {
        using var team = new ThreadTeam(threads);
        for (var round = 0; round < 2000; round++)
        {
            int[] runs = new int[first], others = new int[second];
            team.ForBoth(new(first, (unit, _) => Interlocked.Increment(ref runs[unit])), new(second, (unit, _) => Interlocked.Increment(ref others[unit])));
            Assert.All(runs.Concat(others), count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void Of_two_jobs_at_once_each_has_threads_of_its_own_while_it_lasts()
    {
        using var team = new ThreadTeam(2);
        using var together = new Barrier(2);
        var threads = new int[4];
        // Each unit waits for one that another thread runs at the same time: of the other job, as both have as many.
        team.ForBoth(new(2, (unit, thread) => Meet(unit, thread)), new(2, (unit, thread) => Meet(2 + unit, thread)));
        Assert.Equal([0, 0, 1, 1], threads);

        void Meet(int place, int thread)
        {
            threads[place] = thread;
            Assert.True(together.SignalAndWait(TimeSpan.FromSeconds(30)));
        }
    }

    [Fact]
    public void An_idle_team_parks_and_wakes_for_the_next_job()
    {
        using var team = new ThreadTeam(3);
        for (var round = 0; round < 3; round++)
        {
            Assert.True(SpinWait.SpinUntil(() => team.ParkedThreads == 2, TimeSpan.FromSeconds(30)), $"round {round}: {team.ParkedThreads} of 2 threads parked");
            using var together = new Barrier(3);
            // Each unit waits for the two others, so three threads must take part.
            team.For(3, (_, _) => Assert.True(together.SignalAndWait(TimeSpan.FromSeconds(30))));
        }
    }

    [Fact]
    public void A_unit_that_fails_fails_the_job_and_the_team_lives_on()
    {
        using var team = new ThreadTeam(2);
        var ran = 0;
        var e = Assert.Throws<InvalidOperationException>(() => team.For(20, (unit, _) =>
        {
            Interlocked.Increment(ref ran);
            if (unit == 7) throw new InvalidOperationException("unit 7");
        }));
        Assert.Equal("unit 7", e.Message);
        Assert.Equal(20, ran);
        team.For(4, (_, _) => Interlocked.Increment(ref ran));
        Assert.Equal(24, ran);
    }

    [Fact]
    public unsafe void Scratch_memory_belongs_to_one_thread()
    {
        using var team = new ThreadTeam(4);
        var mixed = 0;
        team.For(400, (unit, thread) =>
        {
            var scratch = (int*)team.Scratch(thread);
            for (var i = 0; i < 1000; i++) scratch[i] = unit;
            for (var i = 0; i < 1000; i++)
                if (scratch[i] != unit) Interlocked.Increment(ref mixed);
        });
        Assert.Equal(0, mixed);
    }

    [Fact]
    public void A_closed_team_refuses_work()
    {
        var team = new ThreadTeam(2);
        team.Dispose();
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.For(1, (_, _) => { }));
    }
}
