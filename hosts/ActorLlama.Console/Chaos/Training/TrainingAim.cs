using System.Diagnostics;

namespace ActorLlama.Cli;

/// <summary>Stops a node while it is in a phase of a step.</summary>
internal sealed class TrainingAim(LocalCluster cluster, TrainingNotes notes)
{
    private static readonly TimeSpan s_stopped = TimeSpan.FromSeconds(5);

    /// <summary>How often a node was stopped too late, and let go on.</summary>
    public int Missed { get; private set; }

    /// <summary>
    /// A node that stands still (SIGSTOP) in that phase of the step told, chosen by chance among those that came into it; null once the run is over.
    /// </summary>
    public async Task<(LocalNode Node, long Step)?> StopInAsync(TrainingPhase phase, Random random, Func<bool> isOver, CancellationToken cancellation)
    {
        while (!isOver())
        {
            var nodes = cluster.Nodes.Where(node => !node.HasExited).ToArray();
            random.Shuffle(nodes);
            foreach (var node in nodes)
            {
                if (notes.StepIn(phase, node.Pid) is null) continue;
                node.Send(LocalNode.SigStop);
                await WaitUntilStoppedAsync(node);
                if (notes.StepIn(phase, node.Pid) is { } step) return (node, step);
                node.Send(LocalNode.SigContinue);
                Missed++;
            }

            await Task.Delay(1, cancellation);
        }

        return null;
    }

    /// <summary>All threads stand still: what the process has noted is where it is.</summary>
    private static async Task WaitUntilStoppedAsync(LocalNode node)
    {
        var clock = Stopwatch.StartNew();
        while (!node.HasExited && Directory.EnumerateDirectories($"/proc/{node.Pid}/task").Any(thread => !IsStopped(thread)))
        {
            if (clock.Elapsed > s_stopped) throw new LocalNodeException($"Chaos: {node.Name} does not stand still {s_stopped.TotalSeconds} s after SIGSTOP.");
            await Task.Yield();
        }
    }

    private static bool IsStopped(string thread)
    {
        try
        {
            var stat = File.ReadAllText(Path.Combine(thread, "stat"));
            return stat[stat.LastIndexOf(')') + 2] is 'T' or 't' or 'Z' or 'X';
        }
        catch (IOException)
        {
            // The thread has ended.
            return true;
        }
    }
}
