using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>Shows on standard error how far long work over things that can be counted is: bars on a terminal, a line each tenth elsewhere.</summary>
internal static class CountProgress
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Runs the work on a thread of its own until it ends or Ctrl-C or SIGTERM cancels it. The work reports a phase, how much of it is done and how much
    /// there is; phases come one after the other.
    /// </summary>
    public static async Task RunAsync(Action<Action<string, long, long>, CancellationToken> work)
    {
        using var ended = new EndSignals();
        Task Started(Action<string, long, long> report) => Task.Factory.StartNew(
            () => work(report, ended.Token), ended.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (!Terminal.Error.Profile.Out.IsTerminal)
        {
            await Started(Lines(Console.Error, TimeProvider.System));
            return;
        }
        await Terminal.Error.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(progress =>
            {
                var bars = new Dictionary<string, ProgressTask>();
                return Started((phase, done, total) =>
                {
                    if (!bars.TryGetValue(phase, out var bar)) bars.Add(phase, bar = progress.AddTask(phase));
                    bar.MaxValue = Math.Max(1, total);
                    bar.Value = done;
                });
            });
    }

    /// <summary>A line for each tenth, at most one a second, and always one at the end of a phase.</summary>
    internal static Action<string, long, long> Lines(TextWriter output, TimeProvider time)
    {
        var (phase, tenth, told) = ("", 0L, 0L);
        return (name, done, total) =>
        {
            if (name != phase) (phase, tenth, told) = (name, 0, time.GetTimestamp());
            var now = total == 0 ? 10 : 10 * done / total;
            if (now <= tenth || (now < 10 && time.GetElapsedTime(told) < s_pause)) return;
            (tenth, told) = (now, time.GetTimestamp());
            output.WriteLine($"{name}: {10 * now} %");
        };
    }
}
