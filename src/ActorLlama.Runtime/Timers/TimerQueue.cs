namespace ActorLlama.Runtime.Timers;

/// <summary>
/// Timers by the time at which they are due, which is a whole multiple of <paramref name="tick"/>, and for what repeats a multiple of its interval: so whatever is done now and then is due
/// together, and threads are woken for it together. Times are those since some beginning. For one caller at a time.
/// </summary>
internal sealed class TimerQueue(TimeSpan tick)
{
    private const int LeastBeforeSweep = 256;

    // By due time, then in the order in which they came.
    private readonly PriorityQueue<TimerEntry, (TimeSpan Due, long Order)> _waiting = new();
    private long _order;
    private int _mostBeforeSweep = LeastBeforeSweep;

    public int Count => _waiting.Count;

    /// <summary>When the next one is due; null: there is none.</summary>
    public TimeSpan? Next => _waiting.TryPeek(out _, out var at) ? at.Due : null;

    /// <summary>First due at the first tick that is not before <paramref name="wanted"/>.</summary>
    public void Add(TimerEntry entry, TimeSpan wanted)
    {
        if (_waiting.Count >= _mostBeforeSweep) Sweep();
        Enqueue(entry, RoundedUp(wanted));
    }

    /// <summary>Takes what is due, in order. What repeats waits for its next turn, the one nearest to an interval from now: turns that were missed are not made up for.</summary>
    public void TakeDue(TimeSpan now, List<TimerEntry> into)
    {
        while (_waiting.TryPeek(out var entry, out var at) && at.Due <= now)
        {
            _waiting.Dequeue();
            if (entry.IsCancelled) continue;
            into.Add(entry);
            if (entry.Interval > TimeSpan.Zero) Enqueue(entry, NextTurn(entry.Interval, now));
        }
    }

    /// <summary>Takes all there are, in order.</summary>
    public List<TimerEntry> Drain()
    {
        List<TimerEntry> all = [];
        while (_waiting.TryDequeue(out var entry, out _)) all.Add(entry);
        return all;
    }

    private void Enqueue(TimerEntry entry, TimeSpan due) => _waiting.Enqueue(entry, (due, _order++));

    private TimeSpan NextTurn(TimeSpan interval, TimeSpan now) => interval.Ticks % tick.Ticks == 0
        ? new((now.Ticks + interval.Ticks + interval.Ticks / 2) / interval.Ticks * interval.Ticks)
        : RoundedUp(now + interval);

    private TimeSpan RoundedUp(TimeSpan time) => new((time.Ticks + tick.Ticks - 1) / tick.Ticks * tick.Ticks);

    /// <summary>What was cancelled is forgotten long before it is due: there may be much of it. Done when the queue has doubled, so it costs each entry little.</summary>
    private void Sweep()
    {
        var kept = _waiting.UnorderedItems.Where(item => !item.Element.IsCancelled).ToArray();
        _waiting.Clear();
        _waiting.EnqueueRange(kept);
        _mostBeforeSweep = Math.Max(LeastBeforeSweep, 2 * kept.Length);
    }
}
