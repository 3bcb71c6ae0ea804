using ActorLlama.Planning.Batching;
using ActorLlama.Protocol;
using FsCheck;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Batching;

/// <summary>Random arrivals, withdrawals, silences, lost and failed batches, against a pipeline that checks every row.</summary>
public sealed class SchedulerPropertyTests
{
    [Property(MaxTest = 150, EndSize = 1_000_000)]
    public void Every_sequence_runs_in_order_samples_once_stays_in_budget_and_ends_freed(NonNegativeInt seed) => new World(seed.Get).Play();

    private sealed class World(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly FakePipeline _pipeline = new();
        private readonly Dictionary<BatchId, SchedulerEffect.RunBatch> _sent = [];
        private readonly List<SchedulerEffect.RunBatch> _atPipeline = [];
        private readonly Dictionary<SequenceId, int> _nextRow = [];
        private readonly Dictionary<long, SchedulerEffect.RunBatch> _open = [];
        private readonly Dictionary<SessionId, Submission> _live = [];
        private SchedulerOptions _options = new();
        private SchedulerState _state = null!;
        private long _now;
        private int _sessions;

        public void Play()
        {
            _options = new()
            {
                MaxSequences = _random.Next(1, 6),
                MaxWaiting = _random.Next(0, 5),
                TokenBudget = _random.Next(6, 30),
                PrefillChunk = _random.Next(1, 20),
                MaxBatchesInFlight = _random.Next(1, 4),
                BatchDeadlineMs = 500,
                MaxAttempts = _random.Next(1, 4),
                RenewalMs = 3000,
                KvPositionsBudget = 64 * _random.Next(2, 8),
                MaxPositions = _random.Next(60, 200),
            };
            Assert.Empty(_options.Faults());
            _state = new(_options, 0, 7);
            for (var step = 0; step < 300; step++)
            {
                _now += _random.Next(0, 60);
                Act();
            }

            for (var step = 0; step < 5000 && (_live.Count > 0 || _open.Count > 0); step++)
            {
                _now += 20;
                foreach (var live in _live.Values.ToList())
                    Apply(_state.Renew(new(live.Submit.Session, live.Submit.Attempt), Key(live.Submit), _now));
                AnswerOne(lossless: true);
                Apply(_state.Tick(_now));
            }

            Apply(_state.Tick(_now));
            Assert.Empty(_live);
            Assert.Equal((0, 0, 0, 0L), (_state.Admitted, _state.Waiting, _state.BatchesInFlight, _state.KvPositionsReserved));
            Assert.Equal(0, _pipeline.HeldSequences);
        }

        private static string Key(SchedulerProtocol.Submit submit) => $"{submit.Session}/{submit.Attempt}";

        private void Act()
        {
            switch (_random.Next(12))
            {
                case 0 or 1:
                    Submit(new($"s{_sessions++}"), 1);
                    break;
                case 2 when _live.Count > 0:
                    var again = Any();
                    Submit(again.Submit.Session, again.Submit.Attempt + 1);
                    break;
                case 3 when _live.Count > 0:
                    var repeated = Any();
                    repeated.Expected = repeated.Submit.Tokens.Length;
                    Apply(_state.Submit(repeated.Submit, Key(repeated.Submit), _now));
                    break;
                case 4 when _live.Count > 0 && _random.Next(2) == 0:
                    var gone = Any().Submit;
                    _live.Remove(gone.Session);
                    Apply(_state.Withdraw(new(gone.Session, gone.Attempt), _now));
                    break;
                case 5:
                    foreach (var live in _live.Values.Where(_ => _random.Next(10) > 0).ToList())
                        Apply(_state.Renew(new(live.Submit.Session, live.Submit.Attempt), Key(live.Submit), _now));
                    break;
                case 6:
                    Apply(_state.Tick(_now));
                    break;
                default:
                    AnswerOne(lossless: false);
                    break;
            }
        }

        private Submission Any() => _live.Values.ElementAt(_random.Next(_live.Count));

        private void Submit(SessionId session, long attempt)
        {
            var prompt = Enumerable.Range(0, _random.Next(1, 70)).Select(_ => _random.Next(1000)).ToList();
            var maxTokens = _random.Next(1, 40);
            int[] stops = [.. Enumerable.Range(0, 30).Select(_ => _random.Next(1000))];
            var answer = FakePipeline.Answer(prompt, maxTokens, stops);
            var known = _random.Next(0, answer.Count);
            var submission = new Submission(
                new(session, attempt, [.. prompt, .. answer.Take(known)], prompt.Count, maxTokens, [.. stops], new(0, 1, 0, 0), (LogitsWanted)_random.Next(3),
                    LogProbs: _random.Next(2) == 0 ? null : 1),
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
            var place = _random.Next(_atPipeline.Count);
            var run = _atPipeline[place];
            _atPipeline.RemoveAt(place);
            var isCurrent = _open.GetValueOrDefault(run.Batch.Number)?.Batch == run.Batch;
            if (!isCurrent && run.Sequences.Any(s => !_nextRow.ContainsKey(s.Sequence)))
                return;
            switch (lossless ? 9 : _random.Next(10))
            {
                case 0:
                    return;
                case 1:
                    Apply(_state.Failed(new(run.Batch, RefusalReason.Failed, "lost"), _now), closed: isCurrent ? run : null);
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

            Assert.True(_state.KvPositionsReserved <= _options.KvPositionsBudget);
            Assert.True(_state.Admitted <= _options.MaxSequences);
            Assert.True(_state.BatchesInFlight <= _options.MaxBatchesInFlight);
        }

        private void Sent(SchedulerEffect.RunBatch run)
        {
            Assert.InRange(run.Ids.Length, 1, _options.TokenBudget);
            Assert.InRange(run.Batch.Attempt, 1, _options.MaxAttempts);
            Assert.True(_sent.TryAdd(run.Batch, run));
            if (run.Batch.Attempt > 1)
            {
                var before = _sent[run.Batch with { Attempt = run.Batch.Attempt - 1 }];
                Sequences.Equal(before.Sequences, run.Sequences);
                Sequences.Equal(before.Ids, run.Ids);
            }

            foreach (var rows in run.Sequences)
            {
                Assert.Equal(_nextRow.GetValueOrDefault(rows.Sequence), rows.Start);
                _nextRow[rows.Sequence] = rows.Start;
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
                    _live.Remove(session);
                    break;
                case SchedulerProtocol.Sampled sampled:
                    Assert.Equal(live.Expected++, sampled.Position);
                    Assert.Equal(live.All[sampled.Position], sampled.Id);
                    Assert.Equal(sampled.Position == Math.Min(live.All.Count, _options.MaxPositions) - 1, sampled.IsLast);
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
}
