using System.Collections.Concurrent;
using ActorLlama.Kernels;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Devices;

/// <summary>
/// A device's one thread: runs what its dispatcher schedules, in order, and sleeps when there is nothing, at once unless its last sleep was short (<see cref="WatchfulWait"/>).
/// </summary>
internal sealed class DeviceExecutor : ExecutorService
{
    private readonly ConcurrentQueue<IRunnable> _waiting = new();
    // A lock, because sleeping and waking need the operating system.
    private readonly object _gate = new();
    private readonly EventStream _events;
    private bool _isAsleep, _isShutDown;

    /// <param name="id">Name of the dispatcher, and of the thread.</param>
    /// <param name="events">Told of what a mailbox throws that no actor's supervisor decides about.</param>
    /// <param name="processor">Where the thread stays; null: anywhere.</param>
    public DeviceExecutor(string id, EventStream events, int? processor = null)
        : base(id)
    {
        _events = events;
        new Thread(() => Work(processor)) { IsBackground = true, Name = id }.Start();
    }

    public override void Execute(IRunnable run)
    {
        if (Volatile.Read(ref _isShutDown)) throw new RejectedExecutionException($"Dispatcher \"{Id}\" has been shut down.");
        _waiting.Enqueue(run);
        // Either this sees that the thread sleeps, or the thread sees what was enqueued.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isAsleep)) Wake();
    }

    /// <summary>The thread ends when it has run what waits.</summary>
    public override void Shutdown()
    {
        Volatile.Write(ref _isShutDown, true);
        Wake();
    }

    private void Work(int? processor)
    {
        if (processor is { } own) ProcessorAffinity.Keep([own]);
        var wait = new WatchfulWait(() => !_waiting.IsEmpty || Volatile.Read(ref _isShutDown));
        while (true)
        {
            if (_waiting.TryDequeue(out var run)) Run(run);
            else if (Volatile.Read(ref _isShutDown)) return;
            else if (!wait.Watch()) Sleep(wait);
        }
    }

    private void Run(IRunnable run)
    {
        try
        {
            run.Run();
        }
        catch (Exception e)
        {
            _events.Publish(new Error(e, Id, typeof(DeviceExecutor), "A device's dispatcher ran into a fault that no actor has"));
        }
    }

    private void Sleep(WatchfulWait wait)
    {
        wait.FallAsleep();
        lock (_gate)
        {
            Volatile.Write(ref _isAsleep, true);
            Interlocked.MemoryBarrier();
            while (!wait.HasWork()) Monitor.Wait(_gate);
            Volatile.Write(ref _isAsleep, false);
        }

        wait.WakeUp();
    }

    private void Wake()
    {
        lock (_gate) Monitor.Pulse(_gate);
    }
}
