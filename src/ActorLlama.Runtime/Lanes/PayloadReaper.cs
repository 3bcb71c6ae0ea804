using ActorLlama.Protocol;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// One per node: disposes the payloads of messages that nobody received (dead letters) or handled, and tells their senders. One state.
/// </summary>
internal sealed class PayloadReaper(NodeId self, LaneCounters counters) : UntypedActor
{
    public static Props Props(NodeId self, LaneCounters counters) => Akka.Actor.Props.Create(() => new PayloadReaper(self, counters));

    // Unhandled messages are among them.
    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(AllDeadLetters));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case UnhandledMessage { Message: IPayloadHolder lost } unhandled:
                Reap(lost, unhandled.Recipient, unhandled.Sender, LaneFailure.Unhandled);
                break;
            case AllDeadLetters { Message: IPayloadHolder lost } letter:
                Reap(lost, letter.Recipient, letter.Sender, LaneFailure.Gone);
                break;
            case AllDeadLetters { Message: IDisposable lost }: lost.Dispose(); break;
            case AllDeadLetters: break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);

    private void Reap(IPayloadHolder lost, IActorRef recipient, IActorRef sender, LaneFailure reason)
    {
        if (lost is LaneEnvelope envelope)
        {
            // Before the payload goes, which would give the credit back as if the message had been received.
            envelope.Receipt?.Fail(reason);
            if (envelope.Receipt is null && !sender.IsNobody() && !sender.Equals(Context.System.DeadLetters))
                sender.Tell(new LaneFailed(
                    new LaneTarget(self, recipient.Path.ToStringWithoutAddress(), recipient.Path.Uid), envelope.Message, reason));
        }
        if (lost.Payload is not { } payload) return;
        payload.Dispose();
        counters.Reaped();
    }
}
