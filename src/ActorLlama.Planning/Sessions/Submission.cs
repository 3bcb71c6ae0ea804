using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>
/// How a session stands with its scheduler. Waiting (for a scheduler, or for the end of a delay) → Submitted → Waiting when an answer is
/// missing, out of order or "no"; either → Suspended while the client is away → Waiting; any → Ended. Every attempt carries all tokens, so
/// none is ever lost. Bounds how long and how often it may go without progress.
/// </summary>
internal sealed class Submission(SessionOptions options, SessionRequest request, long now, Random random)
{
    /// <summary>What tokens kill dies at once. One that is cut off or frozen is noticed after three seconds of silence, and says nothing of them.</summary>
    private const int QuickDeathMs = 2500;

    /// <summary>So many trials that end later condemn too: else a long prompt that kills near its end would go on for ever.</summary>
    private const int SlowTrials = 2;

    private SubmissionPhase _phase = SubmissionPhase.Waiting;
    private LaneTarget? _scheduler;
    private string _fault = "No pipeline is ready.";
    private int _submitsSinceToken;
    private int _failuresSinceToken;
    private int _backOffs;
    private int _computed;
    private int _ahead;
    private long _submitAtMs = now;
    private long _renewedMs;
    private long _signMs = now;
    private long _progressMs = now;
    private long? _troubleMs = now;
    private string? _exhausted;
    private bool _isSuspect = request.IsSuspect;
    private bool _hasRun;
    private bool _isOnTrial;
    private long _trialMs;
    private int _slowTrials;

    /// <summary>The attempt that is or was submitted last. Every attempt of a higher epoch is above every attempt of a lower one.</summary>
    public long Attempt { get; private set; } = request.Epoch << 20;

    public bool IsSubmitted => _phase == SubmissionPhase.Submitted;

    public bool IsSuspended => _phase == SubmissionPhase.Suspended;

    /// <summary>Why nobody may run it any more, or null: what ran it alone died, and what had run it before.</summary>
    public string? Poison { get; private set; }

    /// <summary>Why it must be given up, or null.</summary>
    public string? GivesUp(long now, int tokens)
    {
        var bound = _exhausted
            ?? (_troubleMs is { } trouble && now - trouble >= options.FailAfterMs && !IsSuspended ? $"no progress for {now - trouble} ms" : null);
        return bound is null ? null : $"Session \"{request.Session}\" ended: {bound}, after {tokens} tokens. {_fault}";
    }

    /// <summary>
    /// Where to submit from now on; null with the reason when no pipeline is ready. <paramref name="died"/>: the pipeline that it was submitted to has lost a node, which may
    /// have been this session's doing.
    /// </summary>
    public IEnumerable<SessionEffect> MoveTo(LaneTarget? scheduler, string reason, bool died, long now)
    {
        if (scheduler is null && _phase == SubmissionPhase.Waiting)
            _fault = $"No pipeline is ready: {reason}";
        if (scheduler == _scheduler)
            return [];
        if (died && _hasRun)
        {
            if (_isOnTrial && (now - _trialMs < QuickDeathMs || ++_slowTrials >= SlowTrials))
                Poison = $"Session \"{request.Session}\" ended: a node died while it ran this session's tokens and nothing else, as another had before.";
            _isSuspect = true;
        }

        _hasRun = _isOnTrial = false;
        var effects = Withdrawal();
        _scheduler = scheduler;
        if (scheduler is null)
            _fault = $"No pipeline is ready: {reason}";
        if (_phase == SubmissionPhase.Submitted)
            Wait(now, Math.Max(_progressMs, _signMs));
        else
            _submitAtMs = now;
        return effects;
    }

    /// <summary>Submits, when it is time to.</summary>
    public IEnumerable<SessionEffect> TrySubmit(IEnumerable<int> generated, long now)
    {
        if (_phase != SubmissionPhase.Waiting || _scheduler is not { } scheduler || now < _submitAtMs)
            return [];
        if (++_submitsSinceToken > options.MaxSubmits)
        {
            _exhausted = $"submitted {options.MaxSubmits} times without a token";
            return [];
        }

        _phase = SubmissionPhase.Submitted;
        Attempt++;
        _signMs = _renewedMs = now;
        _computed = int.MaxValue;
        _ahead = 0;
        return
        [
            new SessionEffect.ToScheduler(scheduler, new SchedulerProtocol.Submit(
                request.Session, Attempt, [.. request.PromptTokens, .. generated], request.PromptTokens.Length,
                request.MaxTokens, request.StopIds, request.Sampling, request.Logits, request.Priority, request.Choice, request.LogProbs, _isSuspect)),
        ];
    }

    public void Accepted(SchedulerProtocol.Accepted accepted, long now)
    {
        if (_phase != SubmissionPhase.Submitted || accepted.Attempt != Attempt)
            return;
        _signMs = now;
        if (_failuresSinceToken == 0)
            _troubleMs = null;
        if (accepted.Computed > _computed || accepted.Ahead < _ahead)
            Progress(now);
        _computed = accepted.Computed;
        _ahead = accepted.Ahead;
        _hasRun |= _ahead == 0;
        if (accepted.IsOnTrial && !_isOnTrial)
            (_isOnTrial, _trialMs) = (true, now);
    }

    /// <summary>The next token is here.</summary>
    public void Sampled(long now)
    {
        _signMs = now;
        _submitsSinceToken = _failuresSinceToken = _backOffs = 0;
        _isSuspect = _isOnTrial = false;
        _slowTrials = 0;
        Progress(now);
    }

    /// <summary>A token beyond the next is here: those between were lost. False when they are being asked for already.</summary>
    public bool HasLost(int position, long now)
    {
        if (_phase != SubmissionPhase.Submitted)
            return false;
        _fault = $"Tokens from position {position} on were lost.";
        Wait(now, Math.Max(_progressMs, _signMs));
        return true;
    }

    /// <summary>The scheduler said no, but not for ever: it is submitted again after a delay.</summary>
    public void Refused(SchedulerProtocol.Refused refused, long now)
    {
        _fault = refused.Message;
        if (refused.Reason != RefusalReason.Failed)
            Wait(now, Math.Max(_progressMs, _signMs));
        else if (++_failuresSinceToken > options.MaxFailures)
            _exhausted = $"its pipeline failed {_failuresSinceToken} times";
        else
            Wait(now, _progressMs);
        _submitAtMs = now + Math.Max(refused.RetryAfterMs, options.BackOff.DelayMs(_backOffs++, random));
    }

    /// <summary>Notices a silent scheduler.</summary>
    public void Listen(long now)
    {
        if (_phase != SubmissionPhase.Submitted || now - _signMs < options.StallMs)
            return;
        _fault = $"Its scheduler was silent for {now - _signMs} ms.";
        Wait(now, Math.Max(_progressMs, _signMs));
    }

    /// <summary>Tells the scheduler, every now and then, that it is still wanted.</summary>
    public IEnumerable<SessionEffect> Renew(long now)
    {
        if (_phase != SubmissionPhase.Submitted || now - _renewedMs < options.RenewMs)
            return [];
        _renewedMs = now;
        return [new SessionEffect.ToScheduler(_scheduler!.Value, new SchedulerProtocol.Renew(request.Session, Attempt))];
    }

    /// <summary>Nobody is there to hear: the scheduler is to give what it holds to others.</summary>
    public IEnumerable<SessionEffect> Suspend()
    {
        var effects = Withdrawal();
        if (_phase != SubmissionPhase.Ended)
            _phase = SubmissionPhase.Suspended;
        return effects;
    }

    public void Resume(long now)
    {
        if (_phase == SubmissionPhase.Suspended)
            Wait(now, now);
    }

    /// <param name="tell">Whether the scheduler knows more of the session than that it is over.</param>
    public IEnumerable<SessionEffect> End(bool tell = true)
    {
        var effects = tell ? Withdrawal() : [];
        _phase = SubmissionPhase.Ended;
        return effects;
    }

    private ImmutableArray<SessionEffect> Withdrawal() => _phase == SubmissionPhase.Submitted && _scheduler is { } scheduler
        ? [new SessionEffect.ToScheduler(scheduler, new SchedulerProtocol.Withdraw(request.Session, Attempt))]
        : [];

    private void Wait(long now, long troubleMs)
    {
        _phase = SubmissionPhase.Waiting;
        _submitAtMs = now;
        _troubleMs ??= troubleMs;
    }

    private void Progress(long now)
    {
        _progressMs = now;
        _troubleMs = _phase == SubmissionPhase.Submitted ? null : now;
    }

    private enum SubmissionPhase
    {
        Waiting,
        Submitted,
        Suspended,
        Ended,
    }
}
