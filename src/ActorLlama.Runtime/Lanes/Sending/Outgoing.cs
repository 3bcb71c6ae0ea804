using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>A message on its way to another node, until its fate is known.</summary>
internal sealed class Outgoing(
    long id, LaneTarget to, LaneClass laneClass, ILaneMessage message, Payload? payload, LaneTarget? replyTo, bool replyIsHere, IActorRef? sender)
{
    public long Id { get; } = id;

    public LaneTarget To { get; } = to;

    public LaneClass Class { get; } = laneClass;

    public ILaneMessage Message { get; } = message;

    /// <summary>Owned by the queue while waiting, then by the loop that writes it.</summary>
    public Payload? Payload { get; } = payload;

    public LaneTarget? ReplyTo { get; } = replyTo;

    public bool ReplyIsHere { get; } = replyIsHere;

    public int PayloadBytes { get; } = payload?.Bytes ?? 0;

    /// <summary>Reserves room for a response until it arrives.</summary>
    public bool WantsResponse => ReplyIsHere && Class == LaneClass.Request;

    /// <summary>The credit that this message uses; null for responses.</summary>
    public TargetQueue? Queue { get; set; }

    /// <summary>Timestamp of its taking by the write loop.</summary>
    public long SentAt { get; set; }

    public bool CreditReturned { get; set; }

    public bool Answered { get; set; }

    public void Fail(LaneFailure reason, string detail)
    {
        Payload?.Dispose();
        Tell(reason, detail);
    }

    public void Tell(LaneFailure reason, string detail) =>
        sender?.Tell(new LaneFailed(To with { Request = 0 }, Message, reason, detail), ActorRefs.NoSender);
}
