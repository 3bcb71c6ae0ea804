using System.Collections.Immutable;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>
/// Continuous batching of one pipeline incarnation (design section 4, Decoding): who is let in, which rows run next, what is sent again,
/// who hears what. Each method takes one message and the time, and returns what to do. Sequences run by rank: in order of arrival, but
/// for their priorities. Each is in at most one batch at a time; the scheduler is the one place that retries batches.
/// </summary>
/// <remarks>
/// A plain class with mutable collections, for one caller at a time: a step touches a few of many sequences, thousands of times a second,
/// and copying token lists would cost more than the rest. Nothing mutable leaves it. Its parts: <see cref="SequenceQueue"/> (who is let in,
/// whose KV is taken), <see cref="BatchPicker"/> (which rows), <see cref="KvBook"/> (blocks, shared prefixes), <see cref="PipelineBatches"/>
/// (attempts, deadlines).
/// </remarks>
public sealed class SchedulerState
{
    private readonly SchedulerOptions _options;
    private readonly Dictionary<SessionId, ScheduledSequence> _sessions = [];
    private readonly KvBook _kv;
    private readonly SequenceQueue _queue;
    private readonly BatchPicker _picker;
    private readonly PipelineBatches _batches;
    private readonly (int Pipeline, long Epoch) _id;
    private long _arrivals;
    private long _sequences;
    private long _busy;

    /// <param name="options">Bounds.</param>
    /// <param name="pipeline">The pipeline's number in the plan.</param>
    /// <param name="pipelineEpoch">The epoch of its stages: KV and batches of another are never met.</param>
    /// <param name="random">Draws how long batches that failed rest.</param>
    public SchedulerState(SchedulerOptions options, int pipeline, long pipelineEpoch, Random random)
    {
        (_options, _id) = (options, (pipeline, pipelineEpoch));
        _kv = new(options.Kv, options.SharesPrefixes);
        _queue = new(options, _kv);
        _picker = new(options, _queue, _kv, () => new((pipelineEpoch << 32) | ++_sequences, pipeline));
        _batches = new(options, pipeline, pipelineEpoch, _kv.Dropped, random);
    }

    /// <summary>What it holds now, and has done.</summary>
    public NodeProtocol.PipelineLoad Load => new(
        _id.Pipeline, _id.Epoch, _queue.Admitted.Count, _options.MaxSequences, _queue.Waiting.Count, _batches.Count,
        new(_kv.Used.Whole, _kv.Held.Whole, _kv.Room.Blocks.Whole), new(_kv.Used.Chunked, _kv.Held.Chunked, _kv.Room.Blocks.Chunked),
        _kv.SharedBlocks, _kv.ReusedPositions, _queue.Preemptions, _busy);

    /// <summary>Nobody is known and nothing is under way: once a <see cref="Tick"/> has found it so, time changes nothing until somebody submits.</summary>
    public bool IsIdle => _sessions.Count == 0 && _batches.Count == 0;

    /// <summary>
    /// Tells how many devices of the pipeline can compute at once now. Where it is one, batches would only share its time, and each reads all weights anew: one is in flight.
    /// </summary>
    public void SpreadOver(int devices) => _batches.Most = devices > 1 ? _options.MaxBatchesInFlight : 1;

    /// <summary>
    /// Runs the tokens, or answers why not. A repeated attempt only gets the tokens sampled since the ones it carries; a lower one is stale;
    /// a higher one replaces the sequence and keeps its rank. Sessions that have tokens already were let in before and are never told busy.
    /// </summary>
    public ImmutableArray<SchedulerEffect> Submit(SchedulerProtocol.Submit submit, string replyKey, long now)
    {
        var known = _sessions.GetValueOrDefault(submit.Session);
        if (known is not null && submit.Attempt < known.Submit.Attempt)
            return [SchedulerAnswers.Stale(submit.Session, submit.Attempt, known, replyKey)];
        if (known is not null && submit.Attempt == known.Submit.Attempt)
            return Repeat(known, submit, replyKey, now);
        if (AdmissionRules.Fault(submit, _options) is { } fault)
            return [SchedulerAnswers.Refused(submit.Session, submit.Attempt, replyKey, RefusalReason.Invalid, fault)];

        var rank = known?.Rank ?? Rank.Of(now, submit.Priority, _options.PriorityStepMs, _arrivals++);
        var sequence = new ScheduledSequence(rank, submit, replyKey, _options, now);
        var isNew = known is null && submit.Tokens.Length == submit.PromptLength;
        if (isNew && _queue.Waiting.Count >= _options.MaxWaiting && !_queue.IsOpenFor(sequence))
        {
            _busy++;
            return [SchedulerAnswers.Busy(submit, replyKey, _queue.Waiting.Count, _options)];
        }

        if (known is not null)
            Drop(known);
        _sessions[submit.Session] = sequence;
        _queue.Enqueue(sequence);
        var effects = Admit();
        if (sequence.Phase == SequencePhase.Waiting)
            effects.Add(Acceptance(sequence));
        return Go(effects, now);
    }

    /// <summary>Keeps the session's sequence; answered either way.</summary>
    public ImmutableArray<SchedulerEffect> Renew(SchedulerProtocol.Renew renew, string replyKey, long now)
    {
        var known = _sessions.GetValueOrDefault(renew.Session);
        if (known is null || renew.Attempt > known.Submit.Attempt)
            return [SchedulerAnswers.Unknown(renew.Session, renew.Attempt, replyKey)];
        if (renew.Attempt < known.Submit.Attempt)
            return [SchedulerAnswers.Stale(renew.Session, renew.Attempt, known, replyKey)];
        known.RenewedMs = now;
        return [Acceptance(known)];
    }

    /// <summary>Forgets the session; one that is in flight is freed after its batch. A lower attempt than the known one does nothing.</summary>
    public ImmutableArray<SchedulerEffect> Withdraw(SchedulerProtocol.Withdraw withdraw, long now)
    {
        if (_sessions.GetValueOrDefault(withdraw.Session) is not { } known || withdraw.Attempt < known.Submit.Attempt)
            return [];
        Drop(known);
        return Go([], now);
    }

    /// <summary>The pipeline's answer. One of an older attempt or of another incarnation does nothing.</summary>
    public ImmutableArray<SchedulerEffect> Ran(StageProtocol.Ran ran, long now)
    {
        if (_batches.Answered(ran.Batch) is not { } batch)
            return [];
        if (ran.Ids.Length != batch.Sampling)
            return Go(Retry(batch, RefusalReason.Failed, $"the pipeline answered {ran.Ids.Length} ids to {batch.Sampling} sequences", now), now);

        if ((ran.LogProbs?.Length ?? 0) != batch.LogProbs)
            return Go(Retry(batch, RefusalReason.Failed, $"the pipeline told {ran.LogProbs?.Length ?? 0} log-probabilities to {batch.LogProbs} sequences", now), now);

        _batches.Close(batch);
        List<SchedulerEffect> effects = [];
        if (batch.LogitsRows() is { IsEmpty: false } wanted)
            effects.Add(new SchedulerEffect.RouteLogits(batch.Id, wanted));
        int next = 0, nextLogProbs = 0;
        foreach (var (sequence, rows, _) in batch.Parts)
        {
            int? id = rows.Sampling is null ? null : ran.Ids[next++];
            var logProbs = rows.LogProbs is null ? null : ran.LogProbs!.Value[nextLogProbs++];
            _kv.HasRun(sequence.Kv!, rows.Start + rows.Count);
            if (sequence.Phase == SequencePhase.Leaving)
                Leave(sequence, keepKv: true);
            else
                effects.Add(Advance(sequence, id, logProbs));
        }

        return Go(effects, now);
    }

    /// <summary>
    /// A stage lost the batch: the same rows again under the next attempt, or the end of its sequences. Stages that are out of reach are
    /// told as not ready: their sessions come back until they are re-planned, and do not count it as a failure of their own. Where the KV is
    /// not what it should be, its sequences begin anew. A batch that killed what ran it is taken apart: its sequences run alone, and one that kills alone is refused.
    /// </summary>
    public ImmutableArray<SchedulerEffect> Failed(StageProtocol.Failed failed, long now)
    {
        if (_batches.Find(failed.Batch) is not { } batch)
            return [];
        return Go(
            failed.Reason switch
            {
                RefusalReason.Unknown => StartOver(batch, failed.Message),
                RefusalReason.Poisonous => Isolate(batch, failed.Message),
                _ => Retry(batch, failed.Reason, failed.Message, now),
            },
            now);
    }

    /// <summary>Deadlines of batches and those that rest, sessions that are silent, and frees that no batch has carried. Call it a few times a second.</summary>
    public ImmutableArray<SchedulerEffect> Tick(long now)
    {
        foreach (var sequence in _sessions.Values.Where(s => now - s.RenewedMs > _options.RenewalMs).ToList())
            Drop(sequence);
        List<SchedulerEffect> effects = [];
        foreach (var batch in _batches.Late(now))
            effects.AddRange(Retry(batch, RefusalReason.Failed, $"no answer from the pipeline, nor work on it, within {_options.BatchDeadlineMs} ms", now));
        effects.AddRange(_batches.Due(now));
        if (_batches.ShouldAsk(now))
            effects.Add(new SchedulerEffect.AskDevices());
        return Go(effects, now, flush: true);
    }

    /// <summary>A stage goes on with that batch.</summary>
    public void Progress(StageProtocol.Progress progress, long now) => _batches.Sign(progress.Batch, now);

    /// <summary>A device of a stage is at work.</summary>
    public void AtWork(long now) => _batches.SignAll(now);

    /// <summary>The pipeline is going away: every session is told to submit elsewhere. Nothing is known afterwards.</summary>
    public ImmutableArray<SchedulerEffect> Close(string reason)
    {
        ImmutableArray<SchedulerEffect> effects =
            [.. _sessions.Values.OrderBy(s => s.Rank).Select(s => SchedulerAnswers.Refused(s, RefusalReason.NotReady, reason))];
        _sessions.Clear();
        _queue.Clear();
        _batches.Clear();
        return effects;
    }

    /// <summary>Lets in and sends what it can, then tells the stages what is freed: in a batch, or alone when none goes soon.</summary>
    private ImmutableArray<SchedulerEffect> Go(List<SchedulerEffect> effects, long now, bool flush = false)
    {
        effects.AddRange(Admit());
        while (!_batches.IsFull && _picker.Pick(_batches.NextNumber, _batches.Count, _batches.PromptRows, _batches.Most) is { IsEmpty: false } parts)
        {
            if (parts[0].Sequence.IsSuspect)
                effects.Add(Acceptance(parts[0].Sequence));
            effects.Add(_batches.Send(parts, now));
        }

        if (_batches.TellDropped(flush) is { } free)
            effects.Add(free);
        return [.. effects];
    }

    private List<SchedulerEffect> Retry(BatchInFlight batch, RefusalReason reason, string why, long now)
    {
        if (_batches.TryAgain(batch, now, out var again))
            return again is null ? [] : [again];
        var told = reason is RefusalReason.NotReady or RefusalReason.Loading ? RefusalReason.NotReady : RefusalReason.Failed;
        List<SchedulerEffect> effects = [];
        foreach (var (sequence, _, _) in batch.Parts)
            Lose(sequence, told, $"Scheduler: batch {batch.Id.Number} failed {batch.Id.Attempt} times: {why}.", effects);
        return effects;
    }

    private List<SchedulerEffect> StartOver(BatchInFlight batch, string why)
    {
        _batches.GiveUp(batch);
        _kv.Distrust();
        List<SchedulerEffect> effects = [];
        foreach (var (sequence, _, _) in batch.Parts)
            if (sequence.Phase != SequencePhase.Leaving && ++sequence.Losses < _options.MaxAttempts)
                _queue.StartOver(sequence);
            else
                Lose(sequence, RefusalReason.Failed, $"Scheduler: its KV was lost {sequence.Losses} times: {why}.", effects);
        return effects;
    }

    private List<SchedulerEffect> Isolate(BatchInFlight batch, string why)
    {
        _batches.GiveUp(batch);
        List<SchedulerEffect> effects = [];
        foreach (var (sequence, _, _) in batch.Parts)
        {
            if (sequence.Phase == SequencePhase.Leaving || batch.Parts.Length == 1)
            {
                Lose(sequence, RefusalReason.Poisonous, $"Scheduler: what ran its batch died, and it was alone in it: {why}.", effects);
                continue;
            }

            sequence.IsSuspect = true;
            _queue.StartOver(sequence);
        }

        return effects;
    }

    /// <summary>Ends a sequence whose batch failed for good.</summary>
    private void Lose(ScheduledSequence sequence, RefusalReason reason, string message, List<SchedulerEffect> effects)
    {
        if (sequence.Phase != SequencePhase.Leaving)
        {
            effects.Add(SchedulerAnswers.Refused(sequence, reason, message));
            _sessions.Remove(sequence.Submit.Session);
        }

        Leave(sequence, keepKv: false);
    }

    private SchedulerEffect.Tell Advance(ScheduledSequence sequence, int? id, TokenLogProbs? logProbs)
    {
        var isYielding = sequence.Phase == SequencePhase.Yielding;
        var isLast = id is { } sampled && sequence.Append(sampled, logProbs);
        var told = id is null ? null : SchedulerAnswers.Sampled(sequence, sequence.Tokens.Count - 1, isLast);
        sequence.Phase = SequencePhase.Ready;
        if (isLast)
            Drop(sequence);
        else if (isYielding)
            _queue.Preempt(sequence);
        return told ?? Acceptance(sequence);
    }

    private ImmutableArray<SchedulerEffect> Repeat(
        ScheduledSequence known, SchedulerProtocol.Submit submit, string replyKey, long now)
    {
        known.ReplyKey = replyKey;
        known.RenewedMs = now;
        List<SchedulerEffect> effects = [Acceptance(known)];
        for (var position = submit.Tokens.Length; position < known.Tokens.Count; position++)
            effects.Add(SchedulerAnswers.Sampled(known, position, isLast: false));
        return [.. effects];
    }

    /// <summary>Who gets in is told so.</summary>
    private List<SchedulerEffect> Admit() => [.. _queue.Admit().Select(Acceptance)];

    /// <summary>The session is over or replaced; what is in flight leaves after its batch.</summary>
    private void Drop(ScheduledSequence sequence)
    {
        _sessions.Remove(sequence.Submit.Session);
        if (sequence.Phase is SequencePhase.InFlight or SequencePhase.Yielding)
            sequence.Phase = SequencePhase.Leaving;
        else
            Leave(sequence, keepKv: true);
    }

    private void Leave(ScheduledSequence sequence, bool keepKv)
    {
        _queue.Remove(sequence);
        if (sequence.Kv is { } kv)
            _kv.End(kv, keepKv);
        sequence.Kv = null;
    }

    private SchedulerEffect.Tell Acceptance(ScheduledSequence sequence) => SchedulerAnswers.Accepted(sequence, _queue.Ahead(sequence));
}
