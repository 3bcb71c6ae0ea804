using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Timers;

/// <summary>
/// Akka's timers on one thread that sleeps until something is due (<see cref="TimerQueue"/>), where Akka's own wakes two threads at every tick, and one of them up to four times, as .NET's
/// timers look at a clock that moves in steps of 4 ms. Named in <c>akka.scheduler.implementation</c>; the tick is <c>akka.scheduler.tick-duration</c>. Ticks are multiples of it by the time of
/// day, so that what nodes say to each other every so often arrives while its receiver is awake for its own part of it.
/// </summary>
internal sealed class SleepingScheduler : SchedulerBase, IDisposable
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly TimeSpan _startedAt = DateTimeOffset.UtcNow.TimeOfDay;
    private readonly TimeSpan _shutdownTimeout;
    private readonly TimerQueue _queue;
    private readonly Thread _thread;
    // A lock, because sleeping and waking need the operating system. Held for a few assignments, never while a timer's action runs.
    private readonly object _gate = new();
    private bool _isClosed;

    /// <param name="scheduler">The system's settings.</param>
    /// <param name="log">Told of actions that throw.</param>
    public SleepingScheduler(Config scheduler, ILoggingAdapter log)
        : base(scheduler, log)
    {
        _shutdownTimeout = scheduler.GetTimeSpan("akka.scheduler.shutdown-timeout");
        _queue = new TimerQueue(scheduler.GetTimeSpan("akka.scheduler.tick-duration"));
        _thread = new Thread(Work) { IsBackground = true, Name = "timers" };
        _thread.Start();
    }

    public override TimeSpan MonotonicClock => HighResMonotonicClock;

    public override TimeSpan HighResMonotonicClock => Stopwatch.GetElapsedTime(_start);

    protected override DateTimeOffset TimeNow => DateTimeOffset.Now;

    /// <summary>The queue's: the time of day when it began, and what has passed since, whatever the clock was set to meanwhile.</summary>
    private TimeSpan QueueClock => _startedAt + HighResMonotonicClock;

    /// <summary>Ends the thread; then what still waits runs once and at once, as with Akka's own scheduler: somebody may wait for it. Nothing can be scheduled any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isClosed) return;
            _isClosed = true;
            Monitor.Pulse(_gate);
        }

        if (Thread.CurrentThread != _thread && !_thread.Join(_shutdownTimeout))
        {
            Log.Warning("Timers: an action did not end within {Timeout}", _shutdownTimeout);
            return;
        }

        foreach (var entry in _queue.Drain()) Run(entry);
    }

    protected override void InternalScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Schedule(delay, TimeSpan.Zero, new DelayedTell(receiver, message, sender), cancelable);

    protected override void InternalScheduleTellRepeatedly(
        TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Schedule(initialDelay, interval, new DelayedTell(receiver, message, sender), cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) =>
        Schedule(delay, TimeSpan.Zero, new ActionRunnable(action), cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) => Schedule(delay, TimeSpan.Zero, action, cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        Schedule(initialDelay, interval, new ActionRunnable(action), cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) =>
        Schedule(initialDelay, interval, action, cancelable);

    private void Schedule(TimeSpan delay, TimeSpan interval, IRunnable action, ICancelable? cancelable)
    {
        lock (_gate)
        {
            if (_isClosed) throw new SchedulerException("Timers: nothing can be scheduled once the actor system has ended.");
            var next = _queue.Next;
            _queue.Add(new TimerEntry(action, interval, cancelable?.Token ?? CancellationToken.None), QueueClock + delay);
            if (next is null || _queue.Next < next) Monitor.Pulse(_gate);
        }
    }

    private void Work()
    {
        List<TimerEntry> due = [];
        while (true)
        {
            lock (_gate)
            {
                while (!_isClosed && MillisecondsLeft() is var left and not 0) Monitor.Wait(_gate, left);
                if (_isClosed) return;
                _queue.TakeDue(QueueClock, due);
            }

            foreach (var entry in due) Run(entry);
            due.Clear();
        }
    }

    /// <summary>Until the next one is due; <see cref="Timeout.Infinite"/>: there is none. Cut to a day: then it looks again.</summary>
    private int MillisecondsLeft() => _queue.Next is { } next
        ? (int)Math.Clamp(Math.Ceiling((next - QueueClock).TotalMilliseconds), 0, TimeSpan.FromDays(1).TotalMilliseconds)
        : Timeout.Infinite;

    /// <summary>An action belongs to no actor whose supervisor could decide about what it throws; the others are due all the same.</summary>
    private void Run(TimerEntry entry)
    {
        if (entry.IsCancelled) return;
        try
        {
            entry.Action.Run();
        }
        catch (Exception e)
        {
            Log.Error(e, "Timers: an action threw");
        }
    }

    private sealed class DelayedTell(ICanTell receiver, object message, IActorRef sender) : IRunnable
    {
        public void Run() => receiver.Tell(message, sender);

        public void Execute() => Run();
    }
}
