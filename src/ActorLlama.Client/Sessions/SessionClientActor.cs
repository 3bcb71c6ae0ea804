using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Tools.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>
/// One session, seen from its client. Opening -> Streaming -> stopped; Streaming -> Opening when the session is gone and is opened again
/// with a higher epoch; either -> Cancelling -> stopped. Every message may be lost: what is not answered is said again on the tick, and
/// silence ends the session with an error.
/// </summary>
internal sealed class SessionClientActor : UntypedActor, IWithTimers
{
    public static Props Props(SessionId session, GenerationRequest request, IActorRef cluster, SessionOutput output, TimeProvider time) =>
        Akka.Actor.Props.Create(() => new SessionClientActor(session, request, cluster, output, time));

    /// <summary>The consumer wants no more.</summary>
    public sealed class Stop : INoSerializationVerificationNeeded
    {
        public static Stop Instance { get; } = new();
    }

    private sealed class PatienceTick : INoSerializationVerificationNeeded
    {
        public static PatienceTick Instance { get; } = new();
    }

    private const int MaxComputedAgain = 3;

    /// <summary>How often its session's node may die without a token in between before it is taken for the reason.</summary>
    private const int MaxReopened = 3;

    // An acknowledgement passes through more actors than a token does. Fewer tokens wait for the next tick, which is long before the session sends them again.
    private const int AcknowledgeEvery = 16;
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_repeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_cancelFor = TimeSpan.FromSeconds(1);
    private readonly SessionId _session;
    private readonly GenerationRequest _request;
    private readonly IActorRef _cluster;
    private readonly SessionOutput _output;
    private readonly TimeProvider _time;
    private readonly LogitsLedger _logits = new();
    private TokenLedger _ledger = TokenLedger.Empty;
    private ImmutableArray<int>? _promptTokens;
    private SessionProtocol.Finished? _end;
    private SessionProtocol.Finished? _wholeEnd;
    private int _given;
    private int _acknowledged;
    private int _computedAgain;
    private int _reopened;
    private TimeSpan _startedAt;
    private TimeSpan _heardAt;
    private TimeSpan _openingSince;
    private SessionProtocol.Refused? _refused;
    private TimeSpan _saidAt;
    private TimeSpan _stoppedAt;
    private TimeSpan _notBefore;
    private TimeSpan? _busySince;

    public SessionClientActor(SessionId session, GenerationRequest request, IActorRef cluster, SessionOutput output, TimeProvider time) =>
        (_session, _request, _cluster, _output, _time) = (session, request, cluster, output, time);

    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(0, _time.GetTimestamp());

    protected override void PreStart()
    {
        _startedAt = _heardAt = _openingSince = Now;
        Timers.StartPeriodicTimer(PatienceTick.Instance, PatienceTick.Instance, s_tick);
        Context.System.EventStream.Subscribe(Self, typeof(ClusterEntrance.Changed));
        SendOpen();
    }

    protected override void OnReceive(object message) => Opening(message);

    private void Opening(object message)
    {
        switch (message)
        {
            case SessionProtocol.Opened opened: OnOpened(opened); break;
            case SessionProtocol.LogitsPart part: OnLogits(part); break;
            case SessionProtocol.Tokens tokens: OnTokens(tokens); break;
            case SessionProtocol.Finished finished: OnFinished(finished); break;
            case SessionProtocol.Refused refused: OnRefusedOpening(refused); break;
            case PatienceTick: OnTick(SendOpen, _openingSince); break;
            case ClusterEntrance.Changed when Now >= _notBefore: SendOpen(); break;
            case ClusterEntrance.Changed: break;
            case Stop: StartCancelling(); break;
            default: Unhandled(message); break;
        }
    }

    private void Streaming(object message)
    {
        switch (message)
        {
            case SessionProtocol.Opened opened: OnOpened(opened); break;
            case SessionProtocol.LogitsPart part: OnLogits(part); break;
            case SessionProtocol.Tokens tokens: OnTokens(tokens); break;
            case SessionProtocol.Finished finished: OnFinished(finished); break;
            case SessionProtocol.Refused refused: OnRefusedStreaming(refused); break;
            case PatienceTick:
                if (_ledger.Next > _acknowledged) Acknowledge();
                OnTick(SayWhereWeAre, _heardAt);
                break;
            case ClusterEntrance.Changed: SendResume(); break;
            case Stop: StartCancelling(); break;
            default: Unhandled(message); break;
        }
    }

    private void Cancelling(object message)
    {
        switch (message)
        {
            case SessionProtocol.Finished finished when IsCurrent(finished.Epoch): EndCancelled(finished); break;
            case SessionProtocol.Refused refused when IsCurrent(refused.Epoch): Complete(FinishReason.Cancelled, null); break;
            case SessionProtocol.Opened opened when IsCurrent(opened.Epoch): _promptTokens ??= opened.PromptTokens; break;
            case PatienceTick when Now - _stoppedAt >= s_cancelFor: Complete(FinishReason.Cancelled, null); break;
            case PatienceTick or ClusterEntrance.Changed: SendCancel(); break;
            case IClusterMessage or Stop: break;
            default: Unhandled(message); break;
        }
    }

    private bool IsCurrent(long epoch) => epoch == _ledger.Epoch;

    private void OnOpened(SessionProtocol.Opened opened)
    {
        if (!IsCurrent(opened.Epoch)) return;
        _heardAt = Now;
        _refused = null;
        _promptTokens ??= opened.PromptTokens;
        _output.Opened.TrySetResult(_promptTokens.Value);
        Become(Streaming);
    }

    private void OnTokens(SessionProtocol.Tokens tokens)
    {
        if (!IsCurrent(tokens.Epoch)) return;
        _heardAt = Now;
        try
        {
            var room = SessionOutput.Capacity - _output.Tokens.Reader.Count;
            var (ledger, taken, gap) = _ledger.Take(tokens, room, _request.LogProbs is not null);
            _ledger = ledger;
            if (taken.Length > 0) (_busySince, _reopened) = (null, 0);
            foreach (var token in taken) _output.Tokens.Writer.TryWrite(token);
            if (gap) SendResume();
            // What is known already comes again because the session has not heard that it is.
            else if (taken.Length == 0 || _ledger.Next - _acknowledged >= AcknowledgeEvery) Acknowledge();
            FinishWhenAllIsHere();
        }
        catch (InvalidDataException e)
        {
            GiveUp(RefusalReason.Failed, e.Message);
        }
    }

    private void OnLogits(SessionProtocol.LogitsPart part)
    {
        if (!IsCurrent(part.Epoch)) return;
        _heardAt = Now;
        try
        {
            _logits.Add(part);
        }
        catch (InvalidDataException e)
        {
            GiveUp(RefusalReason.Failed, e.Message);
        }
    }

    private void OnFinished(SessionProtocol.Finished finished)
    {
        if (!IsCurrent(finished.Epoch)) return;
        _heardAt = Now;
        _end = finished;
        if (_ledger.Next < finished.Count) SendResume();
        FinishWhenAllIsHere();
    }

    private void FinishWhenAllIsHere()
    {
        if (_end is not { } end) return;
        RefusalReason? failure = end.Reason switch { FinishReason.Failed => RefusalReason.Failed, FinishReason.Poisonous => RefusalReason.Poisonous, _ => null };
        if (failure is null && _ledger.Next < end.Count) return;
        AcknowledgeEnd(end);
        if (failure is { } why) Fail(why, end.Error ?? "Session: the cluster could not go on.");
        else if (_logits.FirstMissing(_request.Logits, _promptTokens ?? [], _ledger.Next) is { } missing) ComputeAgain(missing, end);
        else Complete(end.Reason, _wholeEnd ?? end);
    }

    /// <summary>
    /// Logits are not resent: they are too large to be kept for it, and follow from the tokens. The session is opened again at its last
    /// token, so that one pass over the others gives every row once more.
    /// </summary>
    private void ComputeAgain(int missing, SessionProtocol.Finished end)
    {
        if (++_computedAgain > MaxComputedAgain)
        {
            Fail(RefusalReason.Failed, $"Session: the logits of position {missing} did not arrive in full, though they were computed {_computedAgain} times.");
            return;
        }

        _wholeEnd ??= end;
        Reopen();
    }

    private void EndCancelled(SessionProtocol.Finished finished)
    {
        AcknowledgeEnd(finished);
        Complete(FinishReason.Cancelled, finished);
    }

    /// <summary>The end counts as one more index: the session may forget itself.</summary>
    private void AcknowledgeEnd(SessionProtocol.Finished finished) =>
        Send(new SessionProtocol.Acknowledge(_session, _ledger.Epoch, finished.Count + 1));

    private void OnRefusedOpening(SessionProtocol.Refused refused)
    {
        if (!IsCurrent(refused.Epoch)) return;
        _refused = refused;
        switch (refused.Reason)
        {
            case RefusalReason.Unknown or RefusalReason.Stale: Reopen(); break;
            case RefusalReason.Busy: ComeAgain(refused); break;
            case RefusalReason.Loading: _notBefore = Now + TimeSpan.FromMilliseconds(refused.RetryAfterMs); break;
            case RefusalReason.NotReady when _promptTokens is not null: break;
            default: Fail(refused.Reason, refused.Message); break;
        }
    }

    private void OnRefusedStreaming(SessionProtocol.Refused refused)
    {
        if (!IsCurrent(refused.Epoch)) return;
        switch (refused.Reason)
        {
            case RefusalReason.Unknown or RefusalReason.Stale: Reopen(); break;
            case RefusalReason.Busy: ComeAgain(refused); break;
            default: Fail(refused.Reason, refused.Message); break;
        }
    }

    /// <summary>The cluster is full, and has forgotten the session: it is opened again when the cluster says, for as long as the request allows.</summary>
    private void ComeAgain(SessionProtocol.Refused refused)
    {
        _refused = refused;
        _busySince ??= Now;
        var wait = TimeSpan.FromMilliseconds(refused.RetryAfterMs);
        if (Now + wait - _busySince > _request.BusyTimeout)
        {
            Fail(RefusalReason.Busy, refused.Message);
            return;
        }

        _notBefore = Now + wait;
        _openingSince = Now;
        Become(Opening);
    }

    /// <summary>
    /// The session's node is gone and with it what it knew: give the next incarnation all that we hold, or all but the last token when only
    /// logits are missing. Epochs are ours alone, so one that is stale has a twin of the same epoch: a node that was frozen, and the one that took over from it, had both
    /// heard of the session. A higher epoch ends both.
    /// </summary>
    private void Reopen()
    {
        if (++_reopened > MaxReopened)
        {
            Fail(RefusalReason.Poisonous, $"Session: its node was lost {_reopened} times without a token in between. It may be the reason itself.");
            return;
        }

        _given = _wholeEnd is null ? _ledger.Next : Math.Max(0, _ledger.Next - 1);
        _acknowledged = _ledger.Next;
        _openingSince = _heardAt;
        _end = null;
        _ledger = _ledger.Reopened();
        Become(Opening);
        SendOpen();
    }

    private void OnTick(Action sayAgain, TimeSpan silentSince)
    {
        if (Now - silentSince >= _request.SilenceTimeout)
            GiveUp(
                _refused?.Reason ?? RefusalReason.Failed,
                _refused?.Message ?? $"Session: nothing was heard of it for {_request.SilenceTimeout.TotalSeconds:0.#} s. Check the cluster's nodes.");
        else if (_request.TotalTimeout is { } bound && Now - _startedAt >= bound)
            GiveUp(RefusalReason.Failed, $"Session: not finished within {bound.TotalSeconds:0.#} s. Ask for fewer tokens or allow more time.");
        else if (Now - _saidAt >= s_repeat && Now >= _notBefore)
            sayAgain();
    }

    /// <summary>We are here, and this is what we hold. After silence also: send to us, on whatever way this message came.</summary>
    private void SayWhereWeAre()
    {
        if (Now - _heardAt >= s_repeat) SendResume();
        else Acknowledge();
    }

    private void Acknowledge()
    {
        _acknowledged = _ledger.Next;
        Send(new SessionProtocol.Acknowledge(_session, _ledger.Epoch, _acknowledged));
    }

    private void SendOpen() => Send(new SessionProtocol.Open(
        _session, _ledger.Epoch, _request.Prompt, _request.Sampling,
        new SessionProtocol.GenerationLimits(_request.MaxTokens, _request.StopStrings, _request.IgnoreEos, _request.Priority, DeadlineMs()),
        [.. _ledger.Ids.Take(_given)], _request.Logits, _request.Choice, _request.LogProbs, _request.ShowSpecial, IsSuspect: _reopened > 0));

    /// <summary>What is left of it: a session that is opened again has another clock.</summary>
    private int DeadlineMs() =>
        _request.Deadline is { } deadline ? (int)Math.Clamp((deadline - (Now - _startedAt)).TotalMilliseconds, 1, int.MaxValue) : 0;

    /// <summary>A session that only computes logits again has no more tokens than it was given until its end.</summary>
    private void SendResume() => Send(new SessionProtocol.Resume(_session, _ledger.Epoch, _wholeEnd is null ? _ledger.Next : _given));

    private void SendCancel() => Send(new SessionProtocol.Cancel(_session, _ledger.Epoch));

    private void Send(IClusterMessage message)
    {
        _saidAt = Now;
        _cluster.Tell(new ClusterClient.Send(ClientSettings.Gate, message, localAffinity: true), Self);
    }

    private void StartCancelling()
    {
        _stoppedAt = Now;
        SendCancel();
        Become(Cancelling);
    }

    private void Complete(FinishReason reason, SessionProtocol.Finished? end)
    {
        var tail = end is { Reason: not FinishReason.Cancelled } ? end.TailText : "";
        _output.Finish(new GenerationResult(
            _promptTokens ?? _request.Prompt.Tokens ?? [], [.. _ledger.Ids], _ledger.Text + tail, tail, reason,
            end?.Timings ?? new SessionProtocol.Timings(0, 0), _logits.Rows())
        {
            LogProbs = [.. _ledger.LogProbs],
        });
        Context.Stop(Self);
    }

    private void GiveUp(RefusalReason reason, string message)
    {
        SendCancel();
        Fail(reason, message);
    }

    private void Fail(RefusalReason reason, string message)
    {
        _output.Fail(new GenerationFailedException(reason, message, TimeSpan.FromMilliseconds(_refused?.RetryAfterMs ?? 0)));
        Context.Stop(Self);
    }

    protected override void PostStop() =>
        _output.Fail(new GenerationFailedException(RefusalReason.Failed, "Session: the connection was closed."));
}
