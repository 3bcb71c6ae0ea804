using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// A lane message in its receiver's mailbox, from this node or another. The receiver owns <paramref name="Payload"/>: it opens or disposes
/// it, and by that the sender gets its credit back. For a message without payload the credit goes back when the actor has processed its
/// mailbox up to it; nothing has to be called. Answer with <see cref="LaneClass.Response"/> to <paramref name="ReplyTo"/>, as it is.
/// </summary>
internal sealed record LaneEnvelope(ILaneMessage Message, Payload? Payload, LaneTarget? ReplyTo)
    : IPayloadHolder, INoSerializationVerificationNeeded
{
    /// <summary>What its sender is told when nobody receives it; null for messages of this node and for responses.</summary>
    public LaneReceipt? Receipt { get; init; }
}
