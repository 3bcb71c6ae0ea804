using System.Collections.Immutable;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>
/// The batches that a pipeline has: their numbers, attempts and deadlines, and which sequences each tells the stages to drop.
/// </summary>
/// <param name="options">Bounds.</param>
/// <param name="pipeline">The pipeline's number in the plan.</param>
/// <param name="epoch">The epoch of its stages.</param>
/// <param name="dropped">Sequences that the stages are to drop and have not been told of; the next batch takes them.</param>
/// <param name="random">Draws how long a batch rests.</param>
internal sealed class PipelineBatches(SchedulerOptions options, int pipeline, long epoch, List<SequenceId> dropped, Random random)
{
    /// <summary>After the first failure a batch is sent again at once: what it was lost with is often back, and sessions wait.</summary>
    private const int AtOnce = 1;

    private readonly BackOff _rest = new(options.RetryMs, options.RetryMaxMs);
    private readonly List<BatchInFlight> _batches = [];
    private readonly List<SequenceId> _announced = [];

    public int Count => _batches.Count;

    /// <summary>How many may be in flight at once.</summary>
    public int Most { get; set; } = options.MaxBatchesInFlight;

    public bool IsFull => _batches.Count >= Most;

    public int PromptRows => _batches.Sum(b => b.PromptRows);

    public long NextNumber { get; private set; } = 1;

    public BatchInFlight? Find(BatchId id) => _batches.Find(b => b.Id == id);

    /// <summary>The batch that was answered: also while its next attempt rests, for the rows are computed.</summary>
    public BatchInFlight? Answered(BatchId id) => Find(id) ?? _batches.Find(b => b.DueMs is not null && b.Id == id with { Attempt = id.Attempt + 1 });

    public List<BatchInFlight> Late(long now) =>
        _batches.FindAll(b => now - b.SignMs >= options.BatchDeadlineMs || now - b.FirstSentMs >= options.BatchLimitMs);

    /// <summary>Whether the devices of the stages are to be asked if they are at work: nothing has been heard of a batch for a while.</summary>
    public bool ShouldAsk(long now)
    {
        var every = options.BatchDeadlineMs / 3;
        var quiet = _batches.FindAll(b => now - b.SignMs >= every && now - b.AskedMs >= every);
        foreach (var batch in quiet)
            batch.AskedMs = now;
        return quiet.Count > 0;
    }

    /// <summary>A stage has the batch and is at work on it.</summary>
    public void Sign(BatchId id, long now)
    {
        if (Find(id) is { } batch)
            batch.SignMs = now;
    }

    /// <summary>A device of a stage is at work: batches that no later one has overtaken wait there.</summary>
    public void SignAll(long now)
    {
        foreach (var batch in _batches)
            if (!batch.IsOvertaken && batch.DueMs is null)
                batch.SignMs = now;
    }

    public SchedulerEffect.RunBatch Send(ImmutableArray<BatchPart> parts, long now)
    {
        var ids = ImmutableArray.CreateBuilder<int>(parts.Sum(p => p.Rows.Count));
        foreach (var (sequence, rows, _) in parts)
            for (var i = 0; i < rows.Count; i++)
                ids.Add(sequence.Tokens[rows.Start + i]);
        var batch = new BatchInFlight(
            // The rows of a suspect have been tried before.
            new(epoch, NextNumber++, parts[0].Sequence.IsSuspect ? 2 : 1, pipeline), parts, ids.MoveToImmutable(), TakeDropped(), now);
        _batches.Add(batch);
        return batch.ToEffect();
    }

    /// <summary>The batch is answered.</summary>
    public void Close(BatchInFlight batch)
    {
        // In the order of sending.
        foreach (var earlier in _batches.TakeWhile(b => b != batch))
            earlier.IsOvertaken = true;
        _batches.Remove(batch);
    }

    /// <summary>The same rows again, now or when they are <see cref="Due"/>. False when it had all its attempts, or nobody wants them: then the batch is over.</summary>
    public bool TryAgain(BatchInFlight batch, long now, out SchedulerEffect.RunBatch? again)
    {
        again = null;
        if (batch.Id.Attempt >= options.MaxAttempts || now - batch.FirstSentMs >= options.BatchLimitMs || batch.Parts.All(p => p.Sequence.Phase == SequencePhase.Leaving))
        {
            GiveUp(batch);
            return false;
        }

        _batches.Remove(batch);
        var next = batch with { Id = batch.Id with { Attempt = batch.Id.Attempt + 1 }, IsOvertaken = false };
        if (batch.Id.Attempt <= AtOnce)
        {
            next = SentAt(next, now);
            _batches.Add(next);
            again = next.ToEffect();
            return true;
        }

        var due = now + _rest.DelayMs(batch.Id.Attempt - AtOnce - 1, random);
        _batches.Add(next with { SignMs = due, AskedMs = due, DueMs = due });
        return true;
    }

    /// <summary>Batches that have rested: they are sent now.</summary>
    public IEnumerable<SchedulerEffect.RunBatch> Due(long now)
    {
        for (var i = 0; i < _batches.Count; i++)
        {
            if (!(_batches[i].DueMs <= now)) continue;
            _batches[i] = SentAt(_batches[i], now);
            yield return _batches[i].ToEffect();
        }
    }

    /// <summary>The attempt as it goes out now, with what stages are to drop by now: not before, for one that rests may never be sent.</summary>
    private BatchInFlight SentAt(BatchInFlight batch, long now) => batch with { Freed = batch.Freed.AddRange(TakeDropped()), SignMs = now, AskedMs = now, DueMs = null };

    /// <summary>The batch is over without an answer: what it told the stages to drop is told again.</summary>
    public void GiveUp(BatchInFlight batch)
    {
        _batches.Remove(batch);
        dropped.AddRange(batch.Freed);
    }

    /// <summary>
    /// Tells the stages what to drop when no batch is about to carry it, or null. It is told again with the next batch: until a batch that
    /// carried it has been answered, nobody knows that it arrived.
    /// </summary>
    public SchedulerEffect.Free? TellDropped(bool now)
    {
        if (dropped.Count == 0 || (!now && _batches.Count > 0))
            return null;
        var effect = new SchedulerEffect.Free([.. dropped]);
        _announced.AddRange(dropped);
        dropped.Clear();
        return effect;
    }

    public void Clear()
    {
        _batches.Clear();
        _announced.Clear();
        dropped.Clear();
    }

    private ImmutableArray<SequenceId> TakeDropped()
    {
        ImmutableArray<SequenceId> taken = [.. _announced, .. dropped];
        _announced.Clear();
        dropped.Clear();
        return taken;
    }
}
