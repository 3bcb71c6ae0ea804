using ActorLlama.Checkpoints;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>Shows on standard error how far long work over bytes is: bars with bytes, rate and time left on a terminal, lines elsewhere.</summary>
internal static class ByteProgress
{
    /// <summary>
    /// Runs the work on a thread of its own until it ends or Ctrl-C or SIGTERM cancels it. The work reports phases, one after the other, each from any
    /// thread but by one at a time.
    /// </summary>
    public static async Task RunAsync(Action<Action<string, WriteProgress>, CancellationToken> work)
    {
        using var ended = new EndSignals();
        await ShowAsync(report => Task.Factory.StartNew(
            () => work(report, ended.Token), ended.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default));
    }

    /// <summary>Shows what the work reports until it ends.</summary>
    public static async Task ShowAsync(Func<Action<string, WriteProgress>, Task> work)
    {
        if (Terminal.Error.Profile.Out.IsTerminal)
        {
            await Terminal.Error.Progress()
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
                .StartAsync(progress =>
                {
                    var bars = new Dictionary<string, ProgressTask>();
                    return work((phase, done) =>
                    {
                        if (!bars.TryGetValue(phase, out var bar)) bars.Add(phase, bar = progress.AddTask(phase));
                        bar.MaxValue = Math.Max(1, done.TotalBytes);
                        bar.Value = done.WrittenBytes;
                    });
                });
        }
        else await work(new ProgressLines(Console.Error, TimeProvider.System).Report);
    }
}
