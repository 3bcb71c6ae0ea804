using System.Collections.Concurrent;
using System.Diagnostics;

namespace ActorLlama.Cli;

/// <summary>
/// The thread that starts child processes. The kernel's parent-death signal follows the thread that forked, so this one lives until it is
/// disposed, after its children.
/// </summary>
internal sealed class ChildThread : IDisposable
{
    private readonly BlockingCollection<(ProcessStartInfo Info, TaskCompletionSource<Process> Started)> _work = [];

    public ChildThread() => new Thread(Run) { IsBackground = true, Name = "children" }.Start();

    public Task<Process> StartAsync(ProcessStartInfo info)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add((info, started));
        return started.Task;
    }

    public void Dispose() => _work.CompleteAdding();

    private void Run()
    {
        foreach (var (info, started) in _work.GetConsumingEnumerable())
            try
            {
                started.SetResult(Process.Start(info) ?? throw new InvalidOperationException("No process was started."));
            }
            catch (System.ComponentModel.Win32Exception e)
            {
                started.SetException(new LocalNodeException($"Node: \"{info.FileName}\" cannot be started: {e.Message}.", e));
            }

        _work.Dispose();
    }
}
