using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace ActorLlama.Kernels;

/// <summary>
/// Threads that share the units of one job after another: the caller is one of them. Which thread runs which unit is left to chance, so a
/// unit must compute values of its own. Between jobs the others watch for the next (<see cref="WatchfulWait"/>) and then park, so an idle team uses no CPU.
/// One caller at a time; the owner disposes it.
/// </summary>
public sealed unsafe class ThreadTeam : IDisposable
{
    private const int SpinsBeforeParking = 400, SpinsBeforeYielding = 400;

    // Waking the others costs some microseconds; this many multiply-adds take about as long.
    private const long WorkWorthSharing = 1 << 16;

    private readonly Thread[] _workers;
    private readonly byte* _scratch;
    // A lock, because parking and waking need the operating system.
    private readonly object _gate = new();
    private Action<int, int>? _body;
    private int _units, _completed, _parked;
    // Job number in the high half, next free unit in the low half, all ones when there is none: a unit is claimed only for the job it was read from.
    private long _claim;
    private bool _closed;
    private ExceptionDispatchInfo? _failure;

    /// <param name="threads">Threads, the caller's included.</param>
    /// <param name="processors">The processor that each thread stays on, the caller's first, which must see to it itself; null or empty: wherever there is room.</param>
    public ThreadTeam(int threads, IReadOnlyList<int>? processors = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _scratch = (byte*)NativeMemory.AlignedAlloc((nuint)threads * ScratchBytes, 64);
        _workers = new Thread[threads - 1];
        for (var i = 0; i < _workers.Length; i++)
        {
            var worker = i + 1;
            _workers[i] = new Thread(() => Serve(worker, processors is { Count: > 0 } ? processors[worker] : null)) { IsBackground = true, Name = $"kernels-{worker}" };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Threads now asleep for want of work.</summary>
    internal int ParkedThreads => Volatile.Read(ref _parked);

    /// <summary>Bytes of <see cref="Scratch"/>.</summary>
    public const int ScratchBytes = 1 << 20;

    /// <summary>Memory for the unit that thread number <paramref name="thread"/> is running; left as the last unit left it.</summary>
    public byte* Scratch(int thread) => _scratch + (long)thread * ScratchBytes;

    /// <summary>
    /// Runs <paramref name="body"/>(unit, thread) for each unit below <paramref name="units"/> and returns when all are done. The thread
    /// number, below <see cref="Threads"/>, picks scratch memory. The first exception of a unit is thrown again here.
    /// <paramref name="work"/> is the job's multiply-adds, roughly: a small job stays with the caller.
    /// </summary>
    public void For(int units, Action<int, int> body, long work = long.MaxValue)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (Threads == 1 || units <= 1 || work < WorkWorthSharing)
        {
            for (var unit = 0; unit < units; unit++) body(unit, 0);
            return;
        }
        var job = (Volatile.Read(ref _claim) >> 32) + 1;
        // First nothing of the job before can be claimed: a thread that is late would take its next unit, which is one of this job when this has more.
        Interlocked.Exchange(ref _claim, (job << 32) - 1);
        (_body, _units, _failure) = (body, units, null);
        Volatile.Write(ref _completed, 0);
        Interlocked.Exchange(ref _claim, job << 32);
        if (Volatile.Read(ref _parked) > 0)
            lock (_gate) Monitor.PulseAll(_gate);
        Work(job, 0);
        for (var spins = 0; Volatile.Read(ref _completed) < units; spins++)
        {
            if (spins < SpinsBeforeYielding) Thread.SpinWait(4);
            else Thread.Yield();
        }
        _body = null;
        _failure?.Throw();
    }

    /// <summary>
    /// Runs the units of two jobs at once: every other thread takes units of the first as long as there are any, the others those of the second. Else as <see cref="For"/>.
    /// </summary>
    public void ForBoth(TeamJob first, TeamJob second, long work = long.MaxValue)
    {
        var taken = new int[2];
        // As many turns as units: who finds the one job at its end has a unit of the other.
        For(first.Units + second.Units, (_, thread) =>
        {
            var job = thread % 2;
            var unit = Take(job);
            if (unit < 0) unit = Take(job = 1 - job);
            (job == 0 ? first : second).Body(unit, thread);
        }, work);

        int Take(int job)
        {
            var unit = Interlocked.Increment(ref taken[job]) - 1;
            return unit < (job == 0 ? first : second).Units ? unit : -1;
        }
    }

    public void Dispose()
    {
        if (_closed) return;
        lock (_gate)
        {
            Volatile.Write(ref _closed, true);
            Monitor.PulseAll(_gate);
        }
        foreach (var worker in _workers) worker.Join();
        NativeMemory.AlignedFree(_scratch);
    }

    private void Serve(int worker, int? processor)
    {
        if (processor is { } own) ProcessorAffinity.Keep([own]);
        var done = 0L;
        var wait = new WatchfulWait(() => HasNewsAfter(done), SpinsBeforeParking);
        while (AwaitJob(wait) is var job && job > done)
        {
            Work(job, worker);
            done = job;
        }
    }

    /// <summary>The number of the next job; that of the last when the team is closed.</summary>
    private long AwaitJob(WatchfulWait wait)
    {
        if (!wait.Watch())
        {
            wait.FallAsleep();
            lock (_gate)
            {
                Interlocked.Increment(ref _parked);
                while (!wait.HasWork()) Monitor.Wait(_gate);
                Interlocked.Decrement(ref _parked);
            }

            wait.WakeUp();
        }

        return Volatile.Read(ref _claim) >> 32;
    }

    /// <summary>There is a later job, or the team is closed.</summary>
    private bool HasNewsAfter(long done) => Volatile.Read(ref _claim) >> 32 > done || Volatile.Read(ref _closed);

    private void Work(long job, int worker)
    {
        while (true)
        {
            var claim = Volatile.Read(ref _claim);
            var unit = (uint)claim;
            // Read before the claim: the exchange below fails if the job they belong to has ended.
            var (body, units) = (_body, _units);
            if (claim >> 32 != job || unit >= (uint)units) return;
            if (Interlocked.CompareExchange(ref _claim, claim + 1, claim) != claim) continue;
            try
            {
                body!((int)unit, worker);
            }
            catch (Exception e)
            {
                // Thrown again by the caller of For; a worker's thread must not die of it.
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            }
            Interlocked.Increment(ref _completed);
        }
    }
}
