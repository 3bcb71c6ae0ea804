using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>
/// Continuous batching of one pipeline incarnation (design section 4, Decoding): who is let in, which rows run next, what is sent again,
/// who hears what. Each method takes one message and the time, and returns what to do. Sequences run by rank: in order of arrival, but
/// for their priorities. Each is in at most one batch at a time; the scheduler is the one place that retries batches.
/// </summary>
/// <remarks>
/// A plain class with mutable collections, for one caller at a time: a step touches a few of many sequences, thousands of times a second,
/// and copying token lists would cost more than the rest. Nothing mutable leaves it.
/// </remarks>
public sealed class SchedulerState(SchedulerOptions options, int pipeline, long pipelineEpoch)
{
    private readonly Dictionary<SessionId, ScheduledSequence> _sessions = [];
    private readonly List<ScheduledSequence> _waiting = [];
    private readonly List<ScheduledSequence> _admitted = [];
    private readonly List<BatchInFlight> _batches = [];
    private readonly List<SequenceId> _freed = [];
    private readonly List<SequenceId> _announced = [];
    private long _arrivals;
    private long _sequences;
    private long _batchNumber;

    /// <summary>Sequences that are not let in yet.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Sequences that hold KV, those about to be freed among them.</summary>
    public int Admitted => _admitted.Count;

    public int BatchesInFlight => _batches.Count;

    /// <summary>KV positions reserved; never above the budget.</summary>
    public long KvPositionsReserved { get; private set; }

    /// <summary>
    /// Runs the tokens, or answers why not. A repeated attempt only gets the tokens sampled since the ones it carries; a lower one is stale;
    /// a higher one replaces the sequence and keeps its rank.
    /// </summary>
    public ImmutableArray<SchedulerEffect> Submit(SchedulerProtocol.Submit submit, string replyKey, long now)
    {
        var known = _sessions.GetValueOrDefault(submit.Session);
        if (known is not null && submit.Attempt < known.Submit.Attempt)
            return [Stale(submit.Session, submit.Attempt, known, replyKey)];
        if (known is not null && submit.Attempt == known.Submit.Attempt)
            return Repeat(known, submit, replyKey, now);
        if (AdmissionRules.Fault(submit, options) is { } fault)
            return [Refusal(submit.Session, submit.Attempt, replyKey, RefusalReason.Invalid, fault)];

        var rank = known?.Rank ?? Rank.Of(now, submit.Priority, options.PriorityStepMs, _arrivals++);
        var sequence = new ScheduledSequence(NextSequence(), rank, submit, replyKey, options, now);
        if (known is null && _waiting.Count >= options.MaxWaiting && !(_waiting.Count == 0 && Fits(sequence)))
        {
            var busy = $"Scheduler: {_waiting.Count} sequences wait already, and at most {options.MaxWaiting} may. Try again later.";
            return [Refusal(submit.Session, submit.Attempt, replyKey, RefusalReason.Busy, busy)];
        }

        if (known is not null)
            Drop(known);
        _sessions[submit.Session] = sequence;
        var place = _waiting.FindIndex(s => s.Rank > sequence.Rank);
        _waiting.Insert(place < 0 ? _waiting.Count : place, sequence);
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
            return [Refusal(renew.Session, renew.Attempt, replyKey, RefusalReason.Unknown, $"Scheduler: session \"{renew.Session}\" is not known here.")];
        if (renew.Attempt < known.Submit.Attempt)
            return [Stale(renew.Session, renew.Attempt, known, replyKey)];
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
        if (_batches.Find(b => b.Id == ran.Batch) is not { } batch)
            return [];
        if (ran.Ids.Length != batch.Sampling)
            return Go(Retry(batch, RefusalReason.Failed, $"the pipeline answered {ran.Ids.Length} ids to {batch.Sampling} sequences", now), now);
        if ((ran.LogProbs?.Length ?? 0) != batch.LogProbs)
            return Go(Retry(batch, RefusalReason.Failed, $"the pipeline told {ran.LogProbs?.Length ?? 0} log-probabilities to {batch.LogProbs} sequences", now), now);

        _batches.Remove(batch);
        List<SchedulerEffect> effects = [];
        if (LogitsOf(batch) is { IsEmpty: false } wanted)
            effects.Add(new SchedulerEffect.RouteLogits(batch.Id, wanted));
        int next = 0, nextLogProbs = 0;
        foreach (var (sequence, rows) in batch.Parts)
        {
            int? id = rows.Sampling is null ? null : ran.Ids[next++];
            var logProbs = rows.LogProbs is null ? null : ran.LogProbs!.Value[nextLogProbs++];
            if (sequence.Phase == SequencePhase.Leaving)
                Release(sequence);
            else
                effects.Add(Advance(sequence, rows, id, logProbs));
        }

        return Go(effects, now);
    }

    /// <summary>
    /// A stage lost the batch: the same rows again under the next attempt, or the end of its sequences. Stages that are out of reach are
    /// told as not ready: their sessions come back until they are re-planned, and do not count it as a failure of their own.
    /// </summary>
    public ImmutableArray<SchedulerEffect> Failed(StageProtocol.Failed failed, long now) =>
        _batches.Find(b => b.Id == failed.Batch) is { } batch ? Go(Retry(batch, failed.Reason, failed.Message, now), now) : [];

    /// <summary>Deadlines of batches, sessions that are silent, and frees that no batch has carried. Call it a few times a second.</summary>
    public ImmutableArray<SchedulerEffect> Tick(long now)
    {
        foreach (var sequence in _sessions.Values.Where(s => now - s.RenewedMs > options.RenewalMs).ToList())
            Drop(sequence);
        List<SchedulerEffect> effects = [];
        foreach (var batch in _batches.Where(b => now >= b.DeadlineMs).ToList())
            effects.AddRange(Retry(batch, RefusalReason.Failed, $"no answer from the pipeline within {options.BatchDeadlineMs} ms", now));
        return Go(effects, now, flush: true);
    }

    /// <summary>The pipeline is going away: every session is told to submit elsewhere. Nothing is known afterwards.</summary>
    public ImmutableArray<SchedulerEffect> Close(string reason)
    {
        ImmutableArray<SchedulerEffect> effects =
            [.. _sessions.Values.OrderBy(s => s.Rank).Select(s => Refusal(s, RefusalReason.NotReady, reason))];
        _sessions.Clear();
        _waiting.Clear();
        _admitted.Clear();
        _batches.Clear();
        _freed.Clear();
        _announced.Clear();
        KvPositionsReserved = 0;
        return effects;
    }

    /// <summary>Lets in and sends what it can, then tells the stages what is freed: in a batch, or alone when none goes soon.</summary>
    private ImmutableArray<SchedulerEffect> Go(List<SchedulerEffect> effects, long now, bool flush = false)
    {
        effects.AddRange(Admit());
        while (_batches.Count < options.MaxBatchesInFlight && BatchRules.Pick(_admitted, options) is { IsEmpty: false } parts)
            effects.Add(Send(parts, now));
        if (_freed.Count > 0 && (flush || _batches.Count == 0))
        {
            effects.Add(new SchedulerEffect.Free([.. _freed]));
            _announced.AddRange(_freed);
            _freed.Clear();
        }

        return [.. effects];
    }

    private SchedulerEffect.RunBatch Send(ImmutableArray<BatchPart> parts, long now)
    {
        var ids = ImmutableArray.CreateBuilder<int>(parts.Sum(p => p.Rows.Count));
        _batchNumber++;
        foreach (var (sequence, rows) in parts)
        {
            for (var i = 0; i < rows.Count; i++)
                ids.Add(sequence.Tokens[rows.Start + i]);
            sequence.Phase = SequencePhase.InFlight;
            sequence.LastBatch = _batchNumber;
        }

        var batch = new BatchInFlight(
            new(pipelineEpoch, _batchNumber, 1, pipeline), parts, ids.MoveToImmutable(), TakeFreed(), now + options.BatchDeadlineMs);
        _batches.Add(batch);
        return batch.ToEffect();
    }

    private List<SchedulerEffect> Retry(BatchInFlight batch, RefusalReason reason, string why, long now)
    {
        _batches.Remove(batch);
        if (batch.Id.Attempt < options.MaxAttempts && batch.Parts.Any(p => p.Sequence.Phase != SequencePhase.Leaving))
        {
            var again = batch with
            {
                Id = batch.Id with { Attempt = batch.Id.Attempt + 1 },
                Freed = batch.Freed.AddRange(TakeFreed()),
                DeadlineMs = now + options.BatchDeadlineMs,
            };
            _batches.Add(again);
            return [again.ToEffect()];
        }

        _freed.AddRange(batch.Freed);
        var told = reason is RefusalReason.NotReady or RefusalReason.Loading ? RefusalReason.NotReady : RefusalReason.Failed;
        List<SchedulerEffect> effects = [];
        foreach (var (sequence, _) in batch.Parts)
        {
            if (sequence.Phase != SequencePhase.Leaving)
            {
                effects.Add(Refusal(sequence, told, $"Scheduler: batch {batch.Id.Number} failed {batch.Id.Attempt} times: {why}."));
                _sessions.Remove(sequence.Submit.Session);
            }

            Release(sequence);
        }

        return effects;
    }

    private SchedulerEffect.Tell Advance(ScheduledSequence sequence, StageProtocol.BatchRows rows, int? id, TokenLogProbs? logProbs)
    {
        sequence.HaveRun(rows);
        sequence.Phase = SequencePhase.Ready;
        if (id is not { } sampled)
            return Acceptance(sequence);
        var isLast = sequence.Append(sampled, logProbs);
        if (isLast)
            Drop(sequence);
        return SampledAt(sequence, sequence.Tokens.Count - 1, isLast);
    }

    private ImmutableArray<SchedulerEffect> Repeat(
        ScheduledSequence known, SchedulerProtocol.Submit submit, string replyKey, long now)
    {
        known.ReplyKey = replyKey;
        known.RenewedMs = now;
        List<SchedulerEffect> effects = [Acceptance(known)];
        for (var position = submit.Tokens.Length; position < known.Tokens.Count; position++)
            effects.Add(SampledAt(known, position, isLast: false));
        return [.. effects];
    }

    private static ImmutableArray<LogitsRow> LogitsOf(BatchInFlight batch)
    {
        var rows = ImmutableArray.CreateBuilder<LogitsRow>();
        var payloadRow = 0;
        foreach (var (sequence, part) in batch.Parts)
        {
            for (var i = part.Count - part.Logits; i < part.Count; i++, payloadRow++)
                if (sequence.Phase != SequencePhase.Leaving)
                    rows.Add(new(payloadRow, sequence.ReplyKey, sequence.Submit.Session, sequence.Submit.Attempt, part.Start + i));
        }

        return rows.DrainToImmutable();
    }

    /// <summary>By rank; the first that does not fit holds back those behind it. Who gets in is told so.</summary>
    private List<SchedulerEffect> Admit()
    {
        List<SchedulerEffect> effects = [];
        while (_waiting.Count > 0 && Fits(_waiting[0]))
        {
            var sequence = _waiting[0];
            _waiting.RemoveAt(0);
            sequence.Phase = SequencePhase.Ready;
            KvPositionsReserved += sequence.KvPositions;
            var place = _admitted.FindIndex(s => s.Rank > sequence.Rank);
            _admitted.Insert(place < 0 ? _admitted.Count : place, sequence);
            effects.Add(Acceptance(sequence));
        }

        return effects;
    }

    private bool Fits(ScheduledSequence sequence) =>
        _admitted.Count < options.MaxSequences && KvPositionsReserved + sequence.KvPositions <= options.KvPositionsBudget;

    private void Drop(ScheduledSequence sequence)
    {
        _sessions.Remove(sequence.Submit.Session);
        switch (sequence.Phase)
        {
            case SequencePhase.Waiting: _waiting.Remove(sequence); break;
            case SequencePhase.Ready: Release(sequence); break;
            default: sequence.Phase = SequencePhase.Leaving; break;
        }
    }

    /// <summary>Gives back its reservation; its KV at the stages goes before the next batch writes any.</summary>
    private void Release(ScheduledSequence sequence)
    {
        _admitted.Remove(sequence);
        KvPositionsReserved -= sequence.KvPositions;
        _freed.Add(sequence.Id);
    }

    private ImmutableArray<SequenceId> TakeFreed()
    {
        ImmutableArray<SequenceId> taken = [.. _announced, .. _freed];
        _announced.Clear();
        _freed.Clear();
        return taken;
    }

    /// <summary>The KV of an older epoch is never met.</summary>
    private SequenceId NextSequence() => new((pipelineEpoch << 32) | ++_sequences, pipeline);

    private SchedulerEffect.Tell Acceptance(ScheduledSequence sequence) => new(
        sequence.ReplyKey,
        new SchedulerProtocol.Accepted(sequence.Submit.Session, sequence.Submit.Attempt, sequence.Computed, _waiting.IndexOf(sequence) + 1));

    private static SchedulerEffect.Tell SampledAt(ScheduledSequence sequence, int position, bool isLast) => new(
        sequence.ReplyKey,
        new SchedulerProtocol.Sampled(
            sequence.Submit.Session, sequence.Submit.Attempt, position, sequence.Tokens[position], isLast, sequence.LogProbsAt(position)));

    private static SchedulerEffect.Tell Stale(SessionId session, long attempt, ScheduledSequence known, string replyKey) => new(
        replyKey,
        new SchedulerProtocol.Refused(
            session, attempt, RefusalReason.Stale,
            $"Scheduler: attempt {attempt} of session \"{session}\" is older than {known.Submit.Attempt}, which runs here.", 0));

    private SchedulerEffect.Tell Refusal(ScheduledSequence sequence, RefusalReason reason, string message) =>
        Refusal(sequence.Submit.Session, sequence.Submit.Attempt, sequence.ReplyKey, reason, message);

    private SchedulerEffect.Tell Refusal(SessionId session, long attempt, string replyKey, RefusalReason reason, string message) => new(
        replyKey,
        new SchedulerProtocol.Refused(
            session, attempt, reason, message,
            reason == RefusalReason.Busy ? AdmissionRules.RetryAfterMs(_waiting.Count, options.MaxSequences) : 0));
}
