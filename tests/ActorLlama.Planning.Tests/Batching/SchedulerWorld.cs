using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>
/// Random arrivals, withdrawals, silences, lost and failed batches, and losses of KV, against a pipeline that checks every row and block.
/// Many prompts begin alike; KV is scarce. Half of the worlds are calm: their pipeline loses nothing and runs batches as they were sent.
/// </summary>
internal sealed class SchedulerWorld
{
    private readonly Random _random;
    private readonly bool _isCalm;
    private readonly FakePipeline _pipeline;
    private readonly Dictionary<BatchId, SchedulerEffect.RunBatch> _sent = [];
    private readonly List<SchedulerEffect.RunBatch> _atPipeline = [];
    private readonly Dictionary<SequenceId, int> _nextRow = [];
    private readonly Dictionary<long, SchedulerEffect.RunBatch> _open = [];
    private readonly Dictionary<SessionId, Submission> _live = [];
    private readonly List<List<int>> _beginnings;
    private readonly SchedulerState _state;
    private long _now;
    private int _sessions;
    private bool _hasForgotten;

    public SchedulerWorld(int seed)
    {
        _random = new(seed);
        _isCalm = _random.Next(2) == 0;
        int? chunk = _random.Next(3) switch { 0 => null, 1 => 64 * _random.Next(1, 3), _ => _random.Next(50, 200) };
        var hasWhole = chunk is null || _random.Next(4) > 0;
        var prefillChunk = _random.Next(1, 90);
        var maxPositions = _random.Next(60, 300);
        var room = new KvRoom(default, hasWhole, chunk);
        var most = room.Most(maxPositions, prefillChunk);
        room = room with { Blocks = new(most.Whole + _random.Next(0, 4), most.Chunked + _random.Next(0, 6)) };
        Options = new()
        {
            MaxSequences = _random.Next(2, 9),
            MaxWaiting = _random.Next(0, 9),
            TokenBudget = _random.Next(9, 120),
            PrefillChunk = prefillChunk,
            MaxBatchesInFlight = _random.Next(1, 4),
            BatchDeadlineMs = 500,
            MaxAttempts = _random.Next(1, 4),
            RenewalMs = 3000,
            PriorityStepMs = _random.Next(1, 5000),
            Kv = room,
            SharesPrefixes = _random.Next(4) > 0,
            MaxPositions = maxPositions,
        };
        Assert.Empty(Options.Faults());
        _pipeline = new(room, _isCalm);
        _beginnings = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, maxPositions).Select(_ => _random.Next(1000)).ToList())];
        _state = new(Options, 0, 7, new Random(seed));
    }

    public SchedulerOptions Options { get; }

    public NodeProtocol.PipelineLoad Load => _state.Load;

    public void Play()
    {
        for (var step = 0; step < 300; step++)
        {
            _now += _random.Next(0, 60);
            Act();
        }

        for (var step = 0; step < 20_000 && (_live.Count > 0 || _open.Count > 0); step++)
        {
            _now += 20;
            foreach (var live in _live.Values.ToList())
                Apply(_state.Renew(new(live.Submit.Session, live.Submit.Attempt), Key(live.Submit), _now));
            AnswerOne(lossless: true);
            Apply(_state.Tick(_now));
        }

        Apply(_state.Tick(_now));
        Assert.Empty(_live);
        var load = _state.Load;
        Assert.Equal((0, 0, 0, 0L, 0L, 0L), (load.Running, load.Waiting, load.BatchesInFlight, load.Whole.Used, load.Chunked.Used, load.SharedBlocks));

        // What is kept of finished sequences is just what the stages hold.
        var kept = new KvCount(load.Whole.Held, load.Chunked.Held);
        Assert.True(_hasForgotten ? _pipeline.Blocks.FitsIn(kept) : _pipeline.Blocks == kept, $"{_pipeline.Blocks} are held, {load}");
        Assert.True(Options.SharesPrefixes || _pipeline.HeldSequences == 0);
    }

    private static string Key(SchedulerProtocol.Submit submit) => $"{submit.Session}/{submit.Attempt}";

    private void Act()
    {
        switch (_random.Next(14))
        {
            case 0 or 1 or 2:
                Submit(new($"s{_sessions++}"), 1);
                break;
            case 3 when _live.Count > 0:
                var again = Any();
                Submit(again.Submit.Session, again.Submit.Attempt + 1);
                break;
            case 4 when _live.Count > 0:
                var repeated = Any();
                repeated.Expected = repeated.Submit.Tokens.Length;
                Apply(_state.Submit(repeated.Submit, Key(repeated.Submit), _now));
                break;
            case 5 when _live.Count > 0 && _random.Next(2) == 0:
                var gone = Any().Submit;
                _live.Remove(gone.Session);
                Apply(_state.Withdraw(new(gone.Session, gone.Attempt), _now));
                break;
            case 6:
                foreach (var live in _live.Values.Where(_ => _random.Next(10) > 0).ToList())
                    Apply(_state.Renew(new(live.Submit.Session, live.Submit.Attempt), Key(live.Submit), _now));
                break;
            case 7:
                Apply(_state.Tick(_now));
                break;
            case 8 when !_isCalm && _random.Next(15) == 0:
                _pipeline.Forget();
                _hasForgotten = true;
                break;
            default:
                AnswerOne(lossless: false);
                break;
        }
    }

    private Submission Any() => _live.Values.ElementAt(_random.Next(_live.Count));

    private void Submit(SessionId session, long attempt)
    {
        var beginning = _beginnings[_random.Next(_beginnings.Count)].Take(_random.Next(0, Options.MaxPositions / 2));
        List<int> prompt = [.. beginning, .. Enumerable.Range(0, _random.Next(1, 30)).Select(_ => _random.Next(1000))];
        var maxTokens = _random.Next(1, 200);
        int[] stops = [.. Enumerable.Range(0, 4).Select(_ => _random.Next(1000))];
        var answer = FakePipeline.Answer(prompt, maxTokens, stops);
        var known = _random.Next(0, 3) == 0 ? _random.Next(0, answer.Count) : 0;
        var submission = new Submission(
            new(
                session, attempt, [.. prompt, .. answer.Take(known)], prompt.Count, maxTokens, [.. stops], new(0, 1, 0, 0),
                (LogitsWanted)Math.Max(0, _random.Next(6) - 3), (SessionPriority)_random.Next(3), LogProbs: _random.Next(2) == 0 ? null : 1),
            [.. prompt, .. answer]);
        submission.Expected = submission.Submit.Tokens.Length;
        var before = _live.GetValueOrDefault(session);
        _live[session] = submission;
        var effects = _state.Submit(submission.Submit, Key(submission.Submit), _now);

        // An invalid successor leaves the sequence alone.
        if (before is not null && effects is [SchedulerEffect.Tell { Message: SchedulerProtocol.Refused { Reason: RefusalReason.Invalid } }])
            _live[session] = before;
        Apply(effects);
    }

    private void AnswerOne(bool lossless)
    {
        if (_atPipeline.Count == 0)
            return;
        var place = _isCalm ? 0 : _random.Next(_atPipeline.Count);
        var run = _atPipeline[place];
        _atPipeline.RemoveAt(place);
        var isCurrent = _open.GetValueOrDefault(run.Batch.Number)?.Batch == run.Batch;
        if (!isCurrent && run.Sequences.Any(s => !_nextRow.ContainsKey(s.Sequence)))
            return;
        switch (lossless || _isCalm ? 9 : _random.Next(10))
        {
            case 0:
                return;
            case 1:
                Apply(_state.Failed(new(run.Batch, _random.Next(3) > 0 ? RefusalReason.Failed : RefusalReason.Poisonous, "lost"), _now), closed: isCurrent ? run : null);
                return;
        }

        if (!_pipeline.Holds(run))
        {
            _pipeline.Free(run.Freed);
            Apply(_state.Failed(new(run.Batch, RefusalReason.Unknown, "not held"), _now), closed: isCurrent ? run : null);
            return;
        }

        var ran = _pipeline.Run(run);
        if (isCurrent)
            foreach (var rows in run.Sequences)
                _nextRow[rows.Sequence] = rows.Start + rows.Count;
        Apply(_state.Ran(ran, _now), closed: isCurrent ? run : null);
    }

    private void Apply(IEnumerable<SchedulerEffect> effects, SchedulerEffect.RunBatch? closed = null)
    {
        if (closed is not null)
            _open.Remove(closed.Batch.Number);
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case SchedulerEffect.RunBatch run: Sent(run); break;
                case SchedulerEffect.Free free: Forget(free.Sequences); _pipeline.Free(free.Sequences); break;
                case SchedulerEffect.Tell tell: Hear(tell); break;
                case SchedulerEffect.RouteLogits logits:
                    Assert.Equal(logits.Rows.Length, logits.Rows.Select(r => r.PayloadRow).Distinct().Count());
                    break;
            }
        }

        var load = _state.Load;
        Assert.All([load.Whole, load.Chunked], b => Assert.True(b.Used >= 0 && b.Used <= b.Held && b.Held <= b.Total, $"{load}"));
        Assert.True(load.Running <= Options.MaxSequences);
        Assert.True(load.BatchesInFlight <= Options.MaxBatchesInFlight);
    }

    private void Sent(SchedulerEffect.RunBatch run)
    {
        Assert.InRange(run.Ids.Length, 1, Options.TokenBudget);
        Assert.InRange(run.Batch.Attempt, 1, Math.Max(2, Options.MaxAttempts));
        Assert.True(_sent.TryAdd(run.Batch, run));
        if (run.Batch.Attempt > 1 && _sent.TryGetValue(run.Batch with { Attempt = run.Batch.Attempt - 1 }, out var before))
        {
            Sequences.Equal(before.Sequences, run.Sequences);
            Sequences.Equal(before.Ids, run.Ids);
        }

        foreach (var rows in run.Sequences)
        {
            if (rows.PrefixOf is null || _nextRow.ContainsKey(rows.Sequence))
                Assert.Equal(_nextRow.GetValueOrDefault(rows.Sequence), rows.Start);
            _nextRow[rows.Sequence] = rows.Start;
            Assert.InRange(rows.Count, 1, Options.TokenBudget);
            Assert.DoesNotContain(_open.Values.Where(o => o.Batch.Number != run.Batch.Number).SelectMany(o => o.Sequences), o => o.Sequence == rows.Sequence);
        }

        _open[run.Batch.Number] = run;
        _atPipeline.Add(run);
        Forget(run.Freed);
    }

    /// <summary>Freed as the scheduler sees it; at the pipeline when the batch that carries it runs.</summary>
    private void Forget(IEnumerable<SequenceId> sequences)
    {
        foreach (var id in sequences)
        {
            // Old attempts of a batch that was given up no longer reach the pipeline behind the free.
            _nextRow.Remove(id);
            foreach (var given in _open.Values.Where(o => o.Sequences.Any(s => s.Sequence == id)).ToList())
                _open.Remove(given.Batch.Number);
        }
    }

    private void Hear(SchedulerEffect.Tell tell)
    {
        var (session, attempt) = tell.Message switch
        {
            SchedulerProtocol.Accepted m => (m.Session, m.Attempt),
            SchedulerProtocol.Sampled m => (m.Session, m.Attempt),
            SchedulerProtocol.Refused m => (m.Session, m.Attempt),
            _ => throw new InvalidOperationException($"A session heard {tell.Message}."),
        };
        if (_live.GetValueOrDefault(session) is not { } live || live.Submit.Attempt != attempt)
        {
            Assert.IsType<SchedulerProtocol.Refused>(tell.Message);
            return;
        }

        Assert.Equal(Key(live.Submit), tell.ReplyKey);
        switch (tell.Message)
        {
            case SchedulerProtocol.Accepted:
                break;
            case SchedulerProtocol.Refused refused:
                Assert.NotEqual(RefusalReason.Stale, refused.Reason);
                Assert.False(refused.Reason == RefusalReason.Busy && live.Submit.Tokens.Length > live.Submit.PromptLength, "told busy in the middle");
                _live.Remove(session);
                break;
            case SchedulerProtocol.Sampled sampled:
                Assert.Equal(live.Expected++, sampled.Position);
                Assert.Equal(live.All[sampled.Position], sampled.Id);
                Assert.Equal(sampled.Position == Math.Min(live.All.Count, Options.MaxPositions) - 1, sampled.IsLast);
                if (sampled.IsLast)
                    _live.Remove(session);
                break;
        }
    }

    private sealed class Submission(SchedulerProtocol.Submit submit, List<int> all)
    {
        public SchedulerProtocol.Submit Submit { get; } = submit;

        public List<int> All { get; } = all;

        public int Expected { get; set; }
    }
}
