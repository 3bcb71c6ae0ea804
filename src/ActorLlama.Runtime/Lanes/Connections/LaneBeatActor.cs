using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// The clock of a node's lane: at every heartbeat interval each connection says that this node lives, and looks whether its peer does. By Akka's timers, so that it is done when other
/// things are, by threads that are awake. One state.
/// </summary>
internal sealed class LaneBeatActor(LaneNode lane) : UntypedActor, IWithTimers
{
    private long _last = lane.Time.GetTimestamp();

    public static Props Props(LaneNode lane) => Akka.Actor.Props.Create(() => new LaneBeatActor(lane));

    private sealed record BeatTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(nameof(BeatTick), new BeatTick(), lane.Options.HeartbeatInterval);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case BeatTick when lane.IsStopped: break;
            case BeatTick: Beat(); break;
            default: Unhandled(message); break;
        }
    }

    private void Beat()
    {
        var now = lane.Time.GetTimestamp();
        var pause = lane.Time.GetElapsedTime(_last, now);
        var wasAsleep = pause > lane.Options.HeartbeatDeadline / 2;
        _last = now;
        // The others have given it up: whatever is still under way must not count, and what comes must pass a handshake again.
        if (pause > lane.Options.HeartbeatDeadline)
            foreach (var peer in lane.Peers.Values) peer.Close($"this process did not run for {pause.TotalSeconds:0.0} s");
        if (lane.Options.KeepConnected)
            foreach (var node in lane.Plan.Peers.Keys) lane.PeerOf(node);
        foreach (var peer in lane.Peers.Values) peer.Tick(wasAsleep);
    }
}
