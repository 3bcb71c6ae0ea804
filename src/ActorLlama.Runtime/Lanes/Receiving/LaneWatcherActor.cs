using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// Watches the lane's targets, unregisters those that end and has the peers told; asks them, by an <see cref="Identify"/> in their mailbox, how far they are.
/// One state. Never waits, never computes.
/// </summary>
internal sealed class LaneWatcherActor(LaneNode lane) : UntypedActor
{
    private readonly Dictionary<long, LaneTargets.Registered> _asked = [];

    public static Props Props(LaneNode lane) => Akka.Actor.Props.Create(() => new LaneWatcherActor(lane));

    internal sealed record Watch(IActorRef Actor) : INoSerializationVerificationNeeded;

    internal sealed record Probe(LaneTargets.Registered Target) : INoSerializationVerificationNeeded;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Watch watch: Context.Watch(watch.Actor); break;
            case Probe probe: Ask(probe.Target); break;
            case ActorIdentity { MessageId: long number } answer: Answered(number, answer.Subject is not null); break;
            case Terminated ended: Ended(ended.ActorRef); break;
            default: Unhandled(message); break;
        }
    }

    private void Ask(LaneTargets.Registered target)
    {
        _asked[target.Number] = target;
        target.Actor.Tell(new Identify(target.Number));
    }

    private void Answered(long number, bool isAlive)
    {
        if (!_asked.Remove(number, out var target)) return;
        if (target.Processed(isAlive)) Ask(target);
    }

    private void Ended(IActorRef actor)
    {
        var path = actor.Path.ToStringWithoutAddress();
        lane.Targets.Remove(path, actor.Path.Uid);
        foreach (var target in _asked.Values.Where(t => t.Actor.Equals(actor)).ToArray())
        {
            _asked.Remove(target.Number);
            target.Processed(isAlive: false);
        }
        foreach (var peer in lane.Peers.Values) peer.TargetEnded(path, actor.Path.Uid);
    }
}
