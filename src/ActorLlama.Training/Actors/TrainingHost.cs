using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Training.Actors;

/// <summary>
/// On each device: makes the owner for a run, and ends the one of a run before it. While it has one that no coordinator speaks to, it tells the supervisor of the run, so that one that
/// has taken over goes on with it. One state.
/// </summary>
internal sealed class TrainingHost(NodeContext node, NodeDevice device) : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_tick = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private (TrainingProtocol.Enter Enter, IActorRef Owner)? _run;
    private int _created;

    public static Props Props(NodeContext node, NodeDevice device) => Akka.Actor.Props.Create(() => new TrainingHost(node, device));

    private sealed record TellTick : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(3, TimeSpan.FromMinutes(1), DeviceFaults.Decide);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case TrainingProtocol.Enter enter: Enter(enter); break;
            case TellTick when _run is { } run: Context.ActorSelection("/user/supervisor-proxy").Tell(new RunProtocol.Start(run.Enter.Run, run.Enter.Settings, MayHaveBegun: true)); break;
            case TellTick: break;
            case RunProtocol.Status: break; // It knows of the run.
            case Terminated gone when gone.ActorRef.Equals(_run?.Owner): Forget(); break;
            case Terminated: break;
            default: Unhandled(message); break;
        }
    }

    private void Enter(TrainingProtocol.Enter enter)
    {
        if (_run is { } run && run.Enter.Run != enter.Run)
        {
            _log.Info("Run {Run} ends here: {Next} begins", run.Enter.Run, enter.Run);
            Context.Unwatch(run.Owner);
            Context.Stop(run.Owner);
            _run = null;
        }

        if (_run is null)
        {
            var props = ParameterShardActor.Props(node, device, enter).WithDispatcher(device.Dispatcher);
            var owner = Context.ActorOf(props, $"parameters-{++_created}");
            Context.Watch(owner);
            _run = (enter, owner);
            Timers.StartPeriodicTimer(nameof(TellTick), new TellTick(), s_tick);
        }

        _run.Value.Owner.Forward(enter);
    }

    private void Forget()
    {
        _run = null;
        Timers.Cancel(nameof(TellTick));
    }
}
