using System.Collections.Immutable;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Sessions;
using ActorLlama.Planning.Tests.Batching;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Sessions;

/// <summary>
/// A client, a session and a scheduler with its pipeline, over a network that loses, repeats and reorders, while schedulers and sessions
/// die. Time passes in steps of 20 ms.
/// </summary>
internal sealed class SessionWorld
{
    private static readonly SessionId Id = new("s");

    private readonly Random _random;
    private readonly SessionOptions _options;
    private readonly List<(long Due, Action Deliver)> _network = [];
    private readonly List<int> _prompt;
    private readonly int _maxTokens;
    private readonly ImmutableArray<int> _stopIds;
    private SchedulerState? _scheduler;
    private LaneTarget? _target;
    private FakePipeline _pipeline = new();
    private long _pipelineEpoch;
    private SessionState? _session;
    private LaneTarget? _announced;

    public SessionWorld(int seed, SessionOptions options)
    {
        _random = new(seed);
        _options = options;
        _prompt = [.. Enumerable.Range(0, _random.Next(1, 40)).Select(_ => _random.Next(1000))];
        _maxTokens = _random.Next(1, 60);
        _stopIds = [.. Enumerable.Range(0, 10).Select(_ => _random.Next(1000))];
        Client = new(this);
        StartScheduler();
    }

    public TestClient Client { get; }

    public long Now { get; private set; }

    /// <summary>Chance of each message to be lost, and to be repeated.</summary>
    public double Noise { get; set; }

    /// <summary>Chance of a death per step.</summary>
    public double Deaths { get; set; }

    /// <summary>No scheduler hears or says anything any more.</summary>
    public bool PipelineIsSilent { get; set; }

    public bool SessionIsGone => _session is null;

    /// <summary>What the client is to see: the undisturbed answer, up to the first text that stops it.</summary>
    public List<int> Expected()
    {
        var answer = FakePipeline.Answer(_prompt, _maxTokens, _stopIds);
        var stop = answer.FindIndex(id => Read(id).Stops);
        return stop < 0 ? answer : answer[..(stop + 1)];
    }

    public FinishReason ExpectedReason() =>
        _stopIds.Contains(Expected()[^1]) || Read(Expected()[^1]).Stops ? FinishReason.Stop : FinishReason.Length;

    public void Step()
    {
        Now += 20;
        if (_random.NextDouble() < Deaths)
            KillScheduler();
        if (_random.NextDouble() < Deaths / 2)
            _session = null;
        if (_session is not null && _random.NextDouble() < Deaths)
            Apply(_session, _session.ClientLost(Client.Key));
        foreach (var (due, deliver) in _network.Where(m => m.Due <= Now).ToList())
        {
            _network.Remove((due, deliver));
            deliver();
        }

        if (_scheduler is not null)
            Apply(_scheduler, _scheduler.Tick(Now));
        if (_session is not null)
            Apply(_session, _session.Tick(Now));
        Client.Tick();
    }

    public void KillScheduler(bool forGood = false)
    {
        if (_scheduler is null)
            return;
        _scheduler = null;
        _target = null;
        Later(_random.Next(100, 2000), () => Announce(null));
        if (!forGood)
            Later(_random.Next(2000, 4000), StartScheduler);
    }

    public void Send(Action deliver)
    {
        if (_random.NextDouble() < Noise)
            return;
        Later(_random.Next(1, Noise > 0 ? 120 : 30), deliver);
        if (_random.NextDouble() < Noise)
            Send(deliver);
    }

    public void ToSession(IClusterMessage message, string client)
    {
        if (message is SessionProtocol.Open open && (_session is null || open.Epoch > _session.Epoch))
        {
            if (_session is not null)
                Apply(_session, _session.Supersede());
            _session = new(
                _options,
                new(Id, open.Epoch, [.. _prompt], _maxTokens, _stopIds, new(0, 1, 0, 0), LogitsWanted.None, 10_000) { LogProbs = 2 },
                [.. open.GeneratedSoFar.Select(Read)], client, Now, _random);
            Apply(_session, _session.Start(Now));
            Apply(_session, _session.SchedulerAt(_announced, "none", Now));
            return;
        }

        var session = _session;
        if (session is null)
        {
            var epoch = message switch
            {
                SessionProtocol.Acknowledge m => m.Epoch,
                SessionProtocol.Resume m => m.Epoch,
                _ => 0,
            };
            Send(() => Client.Receive(new SessionProtocol.Refused(Id, epoch, RefusalReason.Unknown, "unknown", 0), client));
            return;
        }

        Apply(session, message switch
        {
            SessionProtocol.Open m => session.Open(m, client, Now),
            SessionProtocol.Acknowledge m => session.Acknowledge(m, client, Now),
            SessionProtocol.Resume m => session.Resume(m, client, Now),
            _ => throw new InvalidOperationException($"The session heard {message}."),
        });
    }

    private static GeneratedToken Read(int id) => new(id, $"<{id}>", "", id % 97 == 0);

    private void Later(int delayMs, Action action) => _network.Add((Now + delayMs, action));

    private void StartScheduler()
    {
        _pipelineEpoch++;
        _pipeline = new();
        _scheduler = new(
            new() { TokenBudget = 40, PrefillChunk = _random.Next(3, 30), BatchDeadlineMs = 400, MaxAttempts = 3, RenewalMs = 4000 }, 0, _pipelineEpoch, _random);
        var target = new LaneTarget(new("n:1", _pipelineEpoch), "/user/scheduler-0", _pipelineEpoch);
        _target = target;
        Later(_random.Next(0, 200), () => Announce(target));
    }

    private void Announce(LaneTarget? target)
    {
        _announced = target;
        if (_session is not null)
            Apply(_session, _session.SchedulerAt(target, "none", Now));
    }

    private void Apply(SessionState session, ImmutableArray<SessionEffect> effects)
    {
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case SessionEffect.ToClient told:
                    Send(() => Client.Receive(told.Message, told.Client));
                    break;
                case SessionEffect.ToScheduler asked when !PipelineIsSilent:
                    Send(() => ToScheduler(asked));
                    break;
                case SessionEffect.Stop when session == _session:
                    _session = null;
                    break;
            }
        }
    }

    private void ToScheduler(SessionEffect.ToScheduler asked)
    {
        if (_scheduler is not { } scheduler || asked.Scheduler != _target)
            return;
        var replyTo = "session-" + _session?.Epoch;
        Apply(scheduler, asked.Message switch
        {
            SchedulerProtocol.Submit m => scheduler.Submit(m, replyTo, Now),
            SchedulerProtocol.Renew m => scheduler.Renew(m, replyTo, Now),
            SchedulerProtocol.Withdraw m => scheduler.Withdraw(m, Now),
            _ => throw new InvalidOperationException($"The scheduler heard {asked.Message}."),
        });
    }

    private void Apply(SchedulerState scheduler, ImmutableArray<SchedulerEffect> effects)
    {
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case SchedulerEffect.Tell tell when !PipelineIsSilent:
                    Send(() => FromScheduler(tell.Message));
                    break;
                case SchedulerEffect.RunBatch run:
                    var ran = _pipeline.Run(run);
                    if (_random.NextDouble() >= Noise / 2)
                        Later(_random.Next(1, 40), () => { if (scheduler == _scheduler) Apply(scheduler, scheduler.Ran(ran, Now)); });
                    break;
                case SchedulerEffect.Free free:
                    _pipeline.Free(free.Sequences);
                    break;
            }
        }
    }

    private void FromScheduler(IClusterMessage message)
    {
        if (_session is not { } session)
            return;
        Apply(session, message switch
        {
            SchedulerProtocol.Accepted m => session.Accepted(m, Now),
            SchedulerProtocol.Refused m => session.Refused(m, Now),
            SchedulerProtocol.Sampled m => session.Sampled(m, Read, Now),
            _ => throw new InvalidOperationException($"The session heard {message}."),
        });
    }

    /// <summary>Keeps what it saw, acknowledges it, resumes when it hears nothing, and opens again where the session is not known.</summary>
    internal sealed class TestClient(SessionWorld world)
    {
        private long _epoch;
        private long _heardMs;
        private long _saidMs;
        private bool _opened;
        private int _reconnects;

        public List<int> Ids { get; } = [];

        public string Text { get; private set; } = "";

        public SessionProtocol.Finished? Finished { get; private set; }

        public string Key => $"client-{_reconnects}";

        public void Tick()
        {
            if (_epoch == 0)
                Open();
            if (Finished is not null || world.Now - _saidMs < 500)
                return;
            _saidMs = world.Now;
            if (!_opened)
                Say(OpenMessage());
            else if (world.Now - _heardMs < 1500)
                Say(new SessionProtocol.Acknowledge(Id, _epoch, Ids.Count));
            else
                Resume();
        }

        public void Receive(IClusterMessage message, string key)
        {
            if (key != Key)
                return;
            switch (message)
            {
                case SessionProtocol.Opened opened when opened.Epoch == _epoch:
                    Sequences.Equal(world._prompt, opened.PromptTokens);
                    _opened = true;
                    _heardMs = world.Now;
                    break;
                case SessionProtocol.Tokens tokens when tokens.Epoch == _epoch:
                    Take(tokens);
                    break;
                case SessionProtocol.Finished finished when finished.Epoch == _epoch:
                    End(finished);
                    break;
                case SessionProtocol.Refused { Reason: RefusalReason.Unknown } refused when refused.Epoch == _epoch && _opened && Finished is null:
                    Open();
                    break;
            }
        }

        private void Take(SessionProtocol.Tokens tokens)
        {
            _heardMs = world.Now;
            Assert.Null(Finished is not null && tokens.FirstIndex + tokens.Ids.Length > Ids.Count ? "tokens after the end" : null);
            for (var i = 0; i < tokens.Ids.Length; i++)
            {
                var index = tokens.FirstIndex + i;
                if (index < Ids.Count)
                    Assert.Equal(Ids[index], tokens.Ids[i]);
                if (index != Ids.Count)
                    continue;
                Ids.Add(tokens.Ids[i]);
                Assert.Equal(FakePipeline.LogProbs(tokens.Ids[i], 2), tokens.LogProbs?[i]);
                Text += tokens.Texts[i];
            }

            Say(new SessionProtocol.Acknowledge(Id, _epoch, Ids.Count));
        }

        private void End(SessionProtocol.Finished finished)
        {
            _heardMs = world.Now;
            if (finished.Count > Ids.Count)
            {
                Resume();
                return;
            }

            Assert.Equal(Ids.Count, finished.Count);
            Finished = finished;
            Say(new SessionProtocol.Acknowledge(Id, _epoch, Ids.Count + 1));
        }

        private void Open()
        {
            _epoch++;
            _opened = false;
            _heardMs = _saidMs = world.Now;
            Say(OpenMessage());
        }

        private void Resume()
        {
            _reconnects++;
            _heardMs = world.Now;
            Say(new SessionProtocol.Resume(Id, _epoch, Ids.Count));
        }

        private SessionProtocol.Open OpenMessage() => new(
            Id, _epoch, new([.. world._prompt], null, null), null, new(world._maxTokens, [], false), [.. Ids], LogitsWanted.None);

        private void Say(IClusterMessage message)
        {
            var key = Key;
            world.Send(() => world.ToSession(message, key));
        }
    }
}
