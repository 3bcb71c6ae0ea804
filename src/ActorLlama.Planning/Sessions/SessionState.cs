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
    private readonly Submission _submission;
    private readonly long _openedMs;
    private SessionPhase _phase = SessionPhase.Running;
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
        _submission = new(options, request, now, random);
        _stream = new(request, options, generatedSoFar);
        _stream.Attach(client);
        _openedMs = _clientHeardMs = now;
    }

    public SessionId Session => _request.Session;

    public long Epoch => _request.Epoch;

    /// <summary>The attempt that is or was submitted last.</summary>
    public long Attempt => _submission.Attempt;

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
        _stream.Attach(client);
        return [Opened(), .. _stream.Send(now), .. Heard(now)];
    }

    /// <summary>A higher epoch of the session was opened: this one ends in silence.</summary>
    public ImmutableArray<SessionEffect> Supersede()
    {
        _phase = SessionPhase.Stopped;
        return [.. _submission.End()];
    }

    /// <summary>Only the attached client's word counts.</summary>
    public ImmutableArray<SessionEffect> Acknowledge(SessionProtocol.Acknowledge acknowledge, string client, long now)
    {
        if (Other(acknowledge.Epoch, client) is { } refusal)
            return [refusal];
        if (client != _stream.Client || _phase == SessionPhase.Stopped)
            return [];
        return _stream.Acknowledge(acknowledge.NextIndex, now) ? Stop() : [.. _stream.Send(now), .. Heard(now)];
    }

    /// <summary>Attaches the sender, from its index on. Always answered, without tokens when there are none: a client must know that we live.</summary>
    public ImmutableArray<SessionEffect> Resume(SessionProtocol.Resume resume, string client, long now)
    {
        if (Other(resume.Epoch, client) is { } refusal)
            return [refusal];
        if (resume.NextIndex < 0 || resume.NextIndex > Count)
            return [Refusal(client, resume.Epoch, RefusalReason.Unknown, $"Session \"{Session}\": it has {Count} tokens, not {resume.NextIndex}. Open it again.")];
        _stream.Attach(client, resume.NextIndex);
        ImmutableArray<SessionEffect> answer = [.. _stream.Send(now)];
        if (answer.IsEmpty)
            answer = [_stream.ToClient(new SessionProtocol.Tokens(Session, Epoch, resume.NextIndex, [], []))];
        return [.. answer, .. Heard(now)];
    }

    /// <summary>
    /// The connection of that client has ended: what its sequence holds serves others until it is heard of again. Another client's is none of
    /// our business.
    /// </summary>
    public ImmutableArray<SessionEffect> ClientLost(string client) =>
        IsFinished || client != _stream.Client ? [] : [.. _submission.Suspend()];

    public ImmutableArray<SessionEffect> Cancel(SessionProtocol.Cancel cancel, string client, long now)
    {
        if (Other(cancel.Epoch, client) is { } refusal)
            return [refusal];
        _clientHeardMs = now;
        return IsFinished ? [.. _stream.Send(now)] : [.. Finish(FinishReason.Cancelled, null, now)];
    }

    /// <summary>Where to submit from now on; null with the reason when no pipeline is ready. Also to be called when nothing changed.</summary>
    /// <param name="scheduler">The scheduler, or null.</param>
    /// <param name="reason">Why there is none.</param>
    /// <param name="now">The time.</param>
    /// <param name="died">Whether the one that it had is gone because a node of its pipeline is.</param>
    public ImmutableArray<SessionEffect> SchedulerAt(LaneTarget? scheduler, string reason, long now, bool died = false)
    {
        if (IsFinished)
            return [];
        var effects = _submission.MoveTo(scheduler, reason, died, now);
        return _submission.Poison is { } poison ? [.. Finish(FinishReason.Poisonous, poison, now)] : [.. effects, .. TrySubmit(now)];
    }

    public ImmutableArray<SessionEffect> Accepted(SchedulerProtocol.Accepted accepted, long now)
    {
        _submission.Accepted(accepted, now);
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
            return _submission.HasLost(next, now) ? [.. TrySubmit(now)] : [];

        var token = read(sampled.Id) with { LogProbs = sampled.LogProbs };
        _stream.Add(token);
        _firstTokenMs ??= now - _openedMs;
        _submission.Sampled(now);
        if (EndOf(token) is { } reason)
            return [.. Finish(reason, null, now, withdraw: !sampled.IsLast)];
        return sampled.IsLast ? [.. Finish(FinishReason.Length, null, now, withdraw: false)] : [.. _stream.Send(now)];
    }

    /// <summary>Logits on their way to the client; parts of an attempt that is over are dropped.</summary>
    public ImmutableArray<SessionEffect> LogitsPart(SchedulerProtocol.LogitsPart part) =>
        IsFinished || part.Attempt != Attempt
            ? []
            : [_stream.ToClient(new SessionProtocol.LogitsPart(Session, Epoch, part.Position, part.FirstValue, part.Values, part.Bytes))];

    /// <summary>
    /// The scheduler's "no". A session that has no token yet and finds it busy tells so and ends: its client may come again. One that has
    /// tokens was let in before, and comes back by itself.
    /// </summary>
    public ImmutableArray<SessionEffect> Refused(SchedulerProtocol.Refused refused, long now)
    {
        if (!IsCurrent(refused.Attempt))
            return [];
        switch (refused.Reason)
        {
            case RefusalReason.Invalid or RefusalReason.Poisonous:
                var end = refused.Reason == RefusalReason.Invalid ? FinishReason.Failed : FinishReason.Poisonous;
                return [.. Finish(end, refused.Message, now, withdraw: false)];
            case RefusalReason.Stale:
                return [Refusal(_stream.Client, Epoch, RefusalReason.Stale, $"Session \"{Session}\": it runs elsewhere, with a higher epoch or attempt. Open it again with a higher epoch."), .. Stop()];
            case RefusalReason.Busy when Count == 0:
                return [Refusal(_stream.Client, Epoch, RefusalReason.Busy, refused.Message, refused.RetryAfterMs), .. Stop()];
            default:
                _submission.Refused(refused, now);
                return [.. GiveUpIfDue(now)];
        }
    }

    /// <summary>Whether that is the attempt which a scheduler has now.</summary>
    public bool IsCurrent(long attempt) => _submission.IsSubmitted && attempt == Attempt;

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
        if (GiveUpIfDue(now) is { Count: > 0 } end)
            return [.. end];
        _submission.Listen(now);
        return [.. TrySubmit(now), .. _submission.Renew(now), .. _stream.Tick(now)];
    }

    private int DurationMs => _request.DeadlineMs == 0 ? _options.MaxDurationMs : Math.Min(_request.DeadlineMs, _options.MaxDurationMs);

    /// <summary>The client is there.</summary>
    private List<SessionEffect> Heard(long now)
    {
        _clientHeardMs = now;
        if (IsFinished || !_submission.IsSuspended)
            return [];
        _submission.Resume(now);
        return TrySubmit(now);
    }

    private List<SessionEffect> TrySubmit(long now) =>
        IsFinished ? [] : [.. _submission.TrySubmit(_stream.Tokens.Select(t => t.Id), now), .. GiveUpIfDue(now)];

    private List<SessionEffect> GiveUpIfDue(long now) =>
        !IsFinished && _submission.GivesUp(now, Count) is { } error ? Finish(FinishReason.Failed, error, now) : [];

    /// <summary>How the answer ends with this token, or null.</summary>
    private FinishReason? EndOf(GeneratedToken last) =>
        last.Stops || _request.StopIds.Contains(last.Id) ? FinishReason.Stop
        : _request.EndsWith(last.Id, Count) ? FinishReason.Length
        : null;

    private List<SessionEffect> Finish(FinishReason reason, string? error, long now, bool withdraw = true)
    {
        List<SessionEffect> effects = [.. _submission.End(withdraw)];
        _phase = SessionPhase.Finished;
        _finishedMs = now;
        var tail = Count > 0 ? _stream.Tokens[^1].Tail : "";
        _stream.End(new(Session, Epoch, Count, reason, tail, error, new(_firstTokenMs ?? 0, now - _openedMs)));
        effects.AddRange(_stream.Send(now));
        return effects;
    }

    private ImmutableArray<SessionEffect> Stop()
    {
        _phase = SessionPhase.Stopped;
        return [.. _submission.End(), new SessionEffect.Stop()];
    }

    private SessionEffect.ToClient Opened() => _stream.ToClient(new SessionProtocol.Opened(Session, Epoch, _request.PromptTokens));

    private SessionEffect.ToClient? Other(long epoch, string client) =>
        epoch == Epoch ? null
        : epoch < Epoch ? Refusal(client, epoch, RefusalReason.Stale, $"Session \"{Session}\": epoch {Epoch} has replaced epoch {epoch}.")
        : Refusal(client, epoch, RefusalReason.Unknown, $"Session \"{Session}\": epoch {epoch} is not known here. Open it again.");

    private SessionEffect.ToClient Refusal(string client, long epoch, RefusalReason reason, string message, int retryAfterMs = 0) =>
        new(client, new SessionProtocol.Refused(Session, epoch, reason, message, retryAfterMs));

    private enum SessionPhase
    {
        /// <summary>Tokens are still to come; <see cref="Submission"/> says from where.</summary>
        Running,

        /// <summary>The end is told until it is acknowledged.</summary>
        Finished,
        Stopped,
    }
}
