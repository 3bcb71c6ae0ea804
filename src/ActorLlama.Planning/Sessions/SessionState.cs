using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>
/// One epoch of a session: it holds all tokens, submits them to a scheduler, takes the ids that come back in order and once, streams them
/// to the client, and submits again whenever an answer is missing, out of order or "no" (design sections 4 and 5). Each method takes one
/// message and the time, and returns what to do. Every wait is bounded: the session ends as finished, cancelled or failed.
/// </summary>
/// <remarks>
/// A plain class with a mutable token list, for one caller at a time: copying the list at every token would cost its square.
/// </remarks>
public sealed class SessionState
{
    private readonly SessionOptions _options;
    private readonly SessionRequest _request;
    private readonly ClientStream _stream;
    private readonly Random _random;
    private readonly long _openedMs;
    private SessionPhase _phase = SessionPhase.Waiting;
    private LaneTarget? _scheduler;
    private string _fault = "No pipeline is ready.";
    private int _submitsSinceToken;
    private int _failuresSinceToken;
    private int _backOffs;
    private int _computed;
    private int _ahead;
    private long _submitAtMs;
    private long _renewedMs;
    private long _signMs;
    private long _progressMs;
    private long? _troubleMs;
    private long _clientHeardMs;
    private long _finishedMs;
    private double? _firstTokenMs;

    /// <param name="options">Bounds.</param>
    /// <param name="request">What to generate; without fault (<see cref="SessionRequest.Fault"/>).</param>
    /// <param name="generatedSoFar">Of a session that is opened again: all tokens its client has, with their texts; else empty.</param>
    /// <param name="client">Key of the client.</param>
    /// <param name="now">Milliseconds on the session's clock.</param>
    /// <param name="random">For the jitter of delays; tokens do not depend on it.</param>
    public SessionState(
        SessionOptions options, SessionRequest request, ImmutableArray<GeneratedToken> generatedSoFar, string client, long now, Random random)
    {
        _options = options;
        _request = request;
        _random = random;
        _stream = new(request, options, generatedSoFar);
        _stream.Attach(client);
        _openedMs = _submitAtMs = _signMs = _progressMs = _clientHeardMs = now;
        _troubleMs = now;

        // Every attempt of a higher epoch is above every attempt of a lower one.
        Attempt = request.Epoch << 20;
    }

    public SessionId Session => _request.Session;

    public long Epoch => _request.Epoch;

    /// <summary>The attempt that is or was submitted last.</summary>
    public long Attempt { get; private set; }

    private int DurationMs => _request.DeadlineMs == 0 ? _options.MaxDurationMs : Math.Min(_request.DeadlineMs, _options.MaxDurationMs);

    public bool IsFinished => _phase is SessionPhase.Finished or SessionPhase.Stopped;

    /// <summary>Generated ids so far.</summary>
    public int Count => _stream.Tokens.Count;

    /// <summary>Answers the Open that made this state. Generates nothing when the tokens so far are complete.</summary>
    public ImmutableArray<SessionEffect> Start(long now)
    {
        List<SessionEffect> effects = [Opened()];
        if (Count > 0 && EndOf(_stream.Tokens[^1]) is { } reason)
            effects.AddRange(Finish(reason, null, now));
        else
            effects.AddRange(TrySubmit(now));
        return [.. effects];
    }

    /// <summary>A repeated Open attaches its sender; of a lower epoch it is stale. For a higher one make a new state, after <see cref="Supersede"/>.</summary>
    public ImmutableArray<SessionEffect> Open(SessionProtocol.Open open, string client, long now)
    {
        if (Other(open.Epoch, client) is { } refusal)
            return [refusal];
        _clientHeardMs = now;
        _stream.Attach(client);
        return [Opened(), .. _stream.Send(now)];
    }

    /// <summary>A higher epoch of the session was opened: this one ends in silence.</summary>
    public ImmutableArray<SessionEffect> Supersede()
    {
        List<SessionEffect> effects = [];
        Withdraw(effects);
        _phase = SessionPhase.Stopped;
        return [.. effects];
    }

    /// <summary>Only the attached client's word counts.</summary>
    public ImmutableArray<SessionEffect> Acknowledge(SessionProtocol.Acknowledge acknowledge, string client, long now)
    {
        if (Other(acknowledge.Epoch, client) is { } refusal)
            return [refusal];
        if (client != _stream.Client || _phase == SessionPhase.Stopped)
            return [];
        _clientHeardMs = now;
        return _stream.Acknowledge(acknowledge.NextIndex, now) ? Stop() : [.. _stream.Send(now)];
    }

    /// <summary>Attaches the sender, from its index on. Always answered, without tokens when there are none: a client must know that we live.</summary>
    public ImmutableArray<SessionEffect> Resume(SessionProtocol.Resume resume, string client, long now)
    {
        if (Other(resume.Epoch, client) is { } refusal)
            return [refusal];
        if (resume.NextIndex < 0 || resume.NextIndex > Count)
            return [Refusal(client, resume.Epoch, RefusalReason.Unknown, $"Session \"{Session}\": it has {Count} tokens, not {resume.NextIndex}. Open it again.")];
        _clientHeardMs = now;
        _stream.Attach(client, resume.NextIndex);
        ImmutableArray<SessionEffect> answer = [.. _stream.Send(now)];
        return answer.IsEmpty ? [_stream.ToClient(new SessionProtocol.Tokens(Session, Epoch, resume.NextIndex, [], []))] : answer;
    }

    public ImmutableArray<SessionEffect> Cancel(SessionProtocol.Cancel cancel, string client, long now)
    {
        if (Other(cancel.Epoch, client) is { } refusal)
            return [refusal];
        _clientHeardMs = now;
        return IsFinished ? [.. _stream.Send(now)] : [.. Finish(FinishReason.Cancelled, null, now)];
    }

    /// <summary>Where to submit from now on; null with the reason when no pipeline is ready. Also to be called when nothing changed.</summary>
    public ImmutableArray<SessionEffect> SchedulerAt(LaneTarget? scheduler, string reason, long now)
    {
        if (scheduler is null && _phase == SessionPhase.Waiting)
            _fault = $"No pipeline is ready: {reason}";
        if (IsFinished || scheduler == _scheduler)
            return [];
        List<SessionEffect> effects = [];
        Withdraw(effects);
        _scheduler = scheduler;
        if (scheduler is null)
            _fault = $"No pipeline is ready: {reason}";
        if (_phase == SessionPhase.Submitted)
            Wait(now, Math.Max(_progressMs, _signMs));
        else
            _submitAtMs = now;
        effects.AddRange(TrySubmit(now));
        return [.. effects];
    }

    public ImmutableArray<SessionEffect> Accepted(SchedulerProtocol.Accepted accepted, long now)
    {
        if (_phase != SessionPhase.Submitted || accepted.Attempt != Attempt)
            return [];
        _signMs = now;
        if (_failuresSinceToken == 0)
            _troubleMs = null;
        if (accepted.Computed > _computed || accepted.Ahead < _ahead)
            Progress(now);
        _computed = accepted.Computed;
        _ahead = accepted.Ahead;
        return [];
    }

    /// <summary>
    /// Takes the next id of the current attempt and nothing else. <paramref name="read"/> gives its text; it is called for ids that are
    /// taken, in order, once each.
    /// </summary>
    public ImmutableArray<SessionEffect> Sampled(SchedulerProtocol.Sampled sampled, Func<int, GeneratedToken> read, long now)
    {
        var next = _request.PromptTokens.Length + Count;
        if (IsFinished || sampled.Attempt != Attempt || sampled.Position < next)
            return [];
        if (sampled.Position > next)
        {
            if (_phase == SessionPhase.Waiting)
                return [];
            _fault = $"Tokens from position {next} on were lost.";
            Wait(now, Math.Max(_progressMs, _signMs));
            return [.. TrySubmit(now)];
        }

        var token = read(sampled.Id) with { LogProbs = sampled.LogProbs };
        _stream.Add(token);
        _firstTokenMs ??= now - _openedMs;
        _signMs = now;
        _submitsSinceToken = _failuresSinceToken = _backOffs = 0;
        Progress(now);
        if (EndOf(token) is { } reason)
            return [.. Finish(reason, null, now, withdraw: !sampled.IsLast)];
        return sampled.IsLast ? [.. Finish(FinishReason.Length, null, now, withdraw: false)] : [.. _stream.Send(now)];
    }

    /// <summary>Logits on their way to the client; parts of an attempt that is over are dropped.</summary>
    public ImmutableArray<SessionEffect> LogitsPart(SchedulerProtocol.LogitsPart part) =>
        IsFinished || part.Attempt != Attempt
            ? []
            : [_stream.ToClient(new SessionProtocol.LogitsPart(Session, Epoch, part.Position, part.FirstValue, part.Values, part.Bytes))];

    public ImmutableArray<SessionEffect> Refused(SchedulerProtocol.Refused refused, long now)
    {
        if (_phase != SessionPhase.Submitted || refused.Attempt != Attempt)
            return [];
        _fault = refused.Message;
        switch (refused.Reason)
        {
            case RefusalReason.Invalid:
                return [.. Finish(FinishReason.Failed, refused.Message, now, withdraw: false)];
            case RefusalReason.Stale:
                return [Refusal(_stream.Client, Epoch, RefusalReason.Stale, $"Session \"{Session}\": a higher epoch runs elsewhere."), .. Stop()];
            case RefusalReason.Failed:
                if (++_failuresSinceToken > _options.MaxFailures)
                    return [.. GiveUp($"its pipeline failed {_failuresSinceToken} times", now)];
                Wait(now, _progressMs);
                break;
            default:
                Wait(now, Math.Max(_progressMs, _signMs));
                break;
        }

        _submitAtMs = now + Math.Max(refused.RetryAfterMs, _options.BackOff.DelayMs(_backOffs++, _random));
        return [];
    }

    /// <summary>All bounds of time. Call it a few times within the shortest of them.</summary>
    public ImmutableArray<SessionEffect> Tick(long now)
    {
        if (_phase == SessionPhase.Stopped)
            return [];
        if (_phase == SessionPhase.Finished)
            return now - _finishedMs >= _options.LingerMs ? Stop() : [.. _stream.Tick(now)];
        if (now - _clientHeardMs >= _options.ClientTimeoutMs)
            return Stop();
        if (now - _openedMs >= DurationMs)
            return [.. Finish(FinishReason.Expired, null, now)];
        if (_troubleMs is { } trouble && now - trouble >= _options.FailAfterMs)
            return [.. GiveUp($"no progress for {now - trouble} ms", now)];

        List<SessionEffect> effects = [];
        if (_phase == SessionPhase.Submitted && now - _signMs >= _options.StallMs)
        {
            _fault = $"Its scheduler was silent for {now - _signMs} ms.";
            Wait(now, Math.Max(_progressMs, _signMs));
        }

        effects.AddRange(TrySubmit(now));
        if (_phase == SessionPhase.Submitted && now - _renewedMs >= _options.RenewMs)
        {
            _renewedMs = now;
            effects.Add(new SessionEffect.ToScheduler(_scheduler!.Value, new SchedulerProtocol.Renew(Session, Attempt)));
        }

        effects.AddRange(_stream.Tick(now));
        return [.. effects];
    }

    private List<SessionEffect> TrySubmit(long now)
    {
        if (_phase != SessionPhase.Waiting || _scheduler is not { } scheduler || now < _submitAtMs)
            return [];
        if (++_submitsSinceToken > _options.MaxSubmits)
            return GiveUp($"submitted {_options.MaxSubmits} times without a token", now);
        _phase = SessionPhase.Submitted;
        Attempt++;
        _signMs = _renewedMs = now;
        _computed = int.MaxValue;
        _ahead = 0;
        return
        [
            new SessionEffect.ToScheduler(scheduler, new SchedulerProtocol.Submit(
                Session, Attempt, [.. _request.PromptTokens, .. _stream.Tokens.Select(t => t.Id)], _request.PromptTokens.Length,
                _request.MaxTokens, _request.StopIds, _request.Sampling, _request.Logits, _request.Priority,
                _request.Choice, _request.LogProbs)),
        ];
    }

    private void Wait(long now, long troubleMs)
    {
        _phase = SessionPhase.Waiting;
        _submitAtMs = now;
        _troubleMs ??= troubleMs;
    }

    private void Progress(long now)
    {
        _progressMs = now;
        _troubleMs = _phase == SessionPhase.Submitted ? null : now;
    }

    /// <summary>How the answer ends with this token, or null.</summary>
    private FinishReason? EndOf(GeneratedToken last) =>
        last.Stops || _request.StopIds.Contains(last.Id) ? FinishReason.Stop
        : _request.EndsWith(last.Id, Count) ? FinishReason.Length
        : null;

    private List<SessionEffect> GiveUp(string bound, long now) =>
        Finish(FinishReason.Failed, $"Session \"{Session}\" ended: {bound}, after {Count} tokens. {_fault}", now);

    private List<SessionEffect> Finish(FinishReason reason, string? error, long now, bool withdraw = true)
    {
        List<SessionEffect> effects = [];
        if (withdraw)
            Withdraw(effects);
        _phase = SessionPhase.Finished;
        _finishedMs = now;
        var tail = Count > 0 ? _stream.Tokens[^1].Tail : "";
        _stream.End(new(Session, Epoch, Count, reason, tail, error, new(_firstTokenMs ?? 0, now - _openedMs)));
        effects.AddRange(_stream.Send(now));
        return effects;
    }

    private ImmutableArray<SessionEffect> Stop()
    {
        List<SessionEffect> effects = [];
        Withdraw(effects);
        _phase = SessionPhase.Stopped;
        effects.Add(new SessionEffect.Stop());
        return [.. effects];
    }

    private void Withdraw(List<SessionEffect> effects)
    {
        if (_phase == SessionPhase.Submitted && _scheduler is { } scheduler)
            effects.Add(new SessionEffect.ToScheduler(scheduler, new SchedulerProtocol.Withdraw(Session, Attempt)));
    }

    private SessionEffect.ToClient Opened() => _stream.ToClient(new SessionProtocol.Opened(Session, Epoch, _request.PromptTokens));

    private SessionEffect.ToClient? Other(long epoch, string client) =>
        epoch == Epoch ? null
        : epoch < Epoch ? Refusal(client, epoch, RefusalReason.Stale, $"Session \"{Session}\": epoch {Epoch} has replaced epoch {epoch}.")
        : Refusal(client, epoch, RefusalReason.Unknown, $"Session \"{Session}\": epoch {epoch} is not known here. Open it again.");

    private SessionEffect.ToClient Refusal(string client, long epoch, RefusalReason reason, string message) =>
        new(client, new SessionProtocol.Refused(Session, epoch, reason, message, 0));

    private enum SessionPhase
    {
        /// <summary>For a scheduler, or for the end of a delay.</summary>
        Waiting,
        Submitted,

        /// <summary>The end is told until it is acknowledged.</summary>
        Finished,
        Stopped,
    }
}
