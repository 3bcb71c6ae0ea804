using System.Collections.Immutable;
using Akka.Actor;
using ActorLlama.Protocol;

namespace ActorLlama.Client.Tests;

/// <summary>
/// A gate and its sessions in one actor, over a bad network: it loses and repeats messages in both directions as a seeded generator says.
/// The token at index i of any session has id 1000 + i.
/// </summary>
internal sealed class FakeGateActor(FakeGateActor.Faults faults) : UntypedActor, IWithTimers
{
    /// <summary>
    /// Chances, and how many tokens a session has. <c>ForgetAt</c>: once a session has sent this many, its node dies, once. <c>Script</c>:
    /// the texts of a session's tokens, which then are all it has.
    /// </summary>
    internal sealed record Faults(double Lose, double Repeat, int Seed, int Tokens, int ForgetAt = int.MaxValue, Func<Prompt, string[]>? Script = null);

    internal sealed class ForwardTo(IActorRef other) : INoSerializationVerificationNeeded
    {
        public IActorRef Other => other;
    }

    private sealed class SendTick : INoSerializationVerificationNeeded
    {
        public static SendTick Instance { get; } = new();
    }

    private sealed record Session(long Epoch, IActorRef Client, int Acknowledged, int Made, int MaxTokens, string[]? Script);

    private readonly Dictionary<SessionId, Session> _sessions = [];
    private readonly Random _random = new(faults.Seed);
    private IActorRef? _forward;
    private bool _hasForgotten;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(0, SendTick.Instance, TimeSpan.FromMilliseconds(20));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ForwardTo to: _forward = to.Other; break;
            case SendTick: SendAll(); break;
            case IClusterMessage when _forward is not null: _forward.Forward(message); break;
            case ClusterProtocol.GetModel: Sender.Tell(FakeCluster.Model); break;
            case IClusterMessage when _random.NextDouble() < faults.Lose: break;
            case SessionProtocol.Open open: OnOpen(open); break;
            case SessionProtocol.Resume resume: With(resume.Session, resume.Epoch, s => s with { Client = Sender, Acknowledged = resume.NextIndex }); break;
            case SessionProtocol.Acknowledge acknowledge: OnAcknowledge(acknowledge); break;
            case SessionProtocol.Cancel cancel: OnCancel(cancel); break;
            default: Unhandled(message); break;
        }
    }

    private void OnOpen(SessionProtocol.Open open)
    {
        if (!_sessions.TryGetValue(open.Session, out var session) || session.Epoch < open.Epoch)
            _sessions[open.Session] = session = new Session(open.Epoch, Sender, open.GeneratedSoFar.Length, open.GeneratedSoFar.Length, open.Limits.MaxTokens, faults.Script?.Invoke(open.Prompt));
        _sessions[open.Session] = session with { Client = Sender };
        Say(Sender, new SessionProtocol.Opened(open.Session, open.Epoch, open.Prompt.Tokens ?? []));
    }

    private void OnAcknowledge(SessionProtocol.Acknowledge acknowledge)
    {
        With(acknowledge.Session, acknowledge.Epoch, s => s with { Acknowledged = Math.Max(s.Acknowledged, acknowledge.NextIndex) });
        if (_sessions.TryGetValue(acknowledge.Session, out var session) && session.Acknowledged > End(session)) _sessions.Remove(acknowledge.Session);
    }

    private void OnCancel(SessionProtocol.Cancel cancel)
    {
        var made = _sessions.TryGetValue(cancel.Session, out var session) ? session.Made : 0;
        _sessions.Remove(cancel.Session);
        Say(Sender, new SessionProtocol.Finished(cancel.Session, cancel.Epoch, made, FinishReason.Cancelled, "", null, new SessionProtocol.Timings(0, 0)));
    }

    private void With(SessionId id, long epoch, Func<Session, Session> change)
    {
        if (_sessions.TryGetValue(id, out var session) && session.Epoch == epoch) _sessions[id] = change(session);
        else Say(Sender, new SessionProtocol.Refused(id, epoch, RefusalReason.Unknown, "unknown", 0));
    }

    private int End(Session session) => Math.Min(session.Script?.Length ?? faults.Tokens, session.MaxTokens);

    private void SendAll()
    {
        foreach (var (id, session) in _sessions.ToArray())
        {
            if (!_hasForgotten && session.Made >= faults.ForgetAt)
            {
                _hasForgotten = true;
                _sessions.Remove(id);
                continue;
            }

            var made = Math.Min(session.Made + 2, End(session));
            _sessions[id] = session with { Made = made };
            ImmutableArray<int> ids = [.. Enumerable.Range(session.Acknowledged, Math.Max(0, made - session.Acknowledged)).Select(i => 1000 + i)];
            Say(session.Client, new SessionProtocol.Tokens(id, session.Epoch, session.Acknowledged, ids, [.. ids.Select(i => session.Script?[i - 1000] ?? $"{i} ")]));
            if (made == End(session))
                Say(session.Client, new SessionProtocol.Finished(id, session.Epoch, made, session.Script is null ? FinishReason.Length : FinishReason.Stop, "", null, new SessionProtocol.Timings(1, 2)));
        }
    }

    private void Say(IActorRef client, IClusterMessage message)
    {
        if (_random.NextDouble() >= faults.Lose) client.Tell(message);
        if (_random.NextDouble() < faults.Repeat) client.Tell(message);
    }
}
