using System.Collections.Concurrent;
using System.Collections.Immutable;
using ActorLlama.Kernels;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// The thread that reads and writes files for one device, one job after the other, so that its compute thread is always free to answer. Jobs are few: one for each
/// stage and shard the device is given. Jobs do not throw; they tell their end by message.
/// </summary>
internal sealed class DeviceLoader : IDisposable
{
    private readonly BlockingCollection<Action<CancellationToken>> _jobs = [];
    private readonly CancellationTokenSource _end = new();
    private readonly Thread _thread;

    /// <param name="device">Name of the device.</param>
    /// <param name="stall">How long a load may read nothing.</param>
    /// <param name="processors">Where it stays, so that memory it fills is near; none: anywhere.</param>
    /// <param name="rate">Bytes that its loads read in a second at most; null: as many as they can.</param>
    public DeviceLoader(string device, TimeSpan stall, ImmutableArray<int> processors = default, long? rate = null)
    {
        (Stall, Rate) = (stall, rate);
        _thread = new Thread(() => Work(processors)) { IsBackground = true, Name = $"loader of {device}" };
        _thread.Start();
    }

    /// <summary>A load that reads nothing for so long has a disk that hangs.</summary>
    public TimeSpan Stall { get; }

    /// <summary>Bytes that a load reads in a second at most; null: as many as it can.</summary>
    public long? Rate { get; }

    /// <summary>Runs the job after those that wait. Its token ends the job when the device does.</summary>
    public void Run(Action<CancellationToken> job) => _jobs.Add(job);

    /// <summary>Frees a part of the model behind the jobs that may still read it, and has the system get its memory back.</summary>
    public void Free(IDisposable part) => Run(_ =>
    {
        part.Dispose();
        NativeHeap.Trim();
    });

    /// <summary>False after <see cref="Dispose"/>: a job still runs, since its disk hangs; what it reads and fills must stay.</summary>
    public bool HasEnded => !_thread.IsAlive;

    /// <summary>Ends the job at work and those that wait, and returns when all have ended, or one of them has hung for <see cref="Stall"/>.</summary>
    public void Dispose()
    {
        if (_jobs.IsAddingCompleted) return;
        _end.Cancel();
        _jobs.CompleteAdding();
        if (_thread.Join(Stall)) _end.Dispose();
    }

    private void Work(ImmutableArray<int> processors)
    {
        if (!processors.IsDefaultOrEmpty) ProcessorAffinity.Keep(processors.AsSpan());
        foreach (var job in _jobs.GetConsumingEnumerable()) job(_end.Token);
    }
}
