using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Training.Runs;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using IClusterMessage = ActorLlama.Protocol.IClusterMessage;

namespace ActorLlama.Training.Actors;

/// <summary>
/// Coordinates the cluster's training run, beside the supervisor: does what <see cref="CoordinatorRules"/> say, whose state is its state. Idle → Running → Ended → Running …; files are
/// touched by threads of their own.
/// </summary>
internal sealed class TrainingCoordinator(NodeContext node) : UntypedActor, IWithTimers
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private TrainingMembers _members = new([], ImmutableDictionary<DeviceId, ActorSelection>.Empty);
    private CoordinatedRun? _run;

    public static Props Props(NodeContext node) => Akka.Actor.Props.Create(() => new TrainingCoordinator(node));

    private sealed record RunTick : INoSerializationVerificationNeeded;

    /// <summary>Work on files has ended.</summary>
    private sealed record Happened(string Run, CoordinatorEvent Event) : INoSerializationVerificationNeeded;

    private sealed record Broken(string Run, string Reason) : INoSerializationVerificationNeeded;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case TrainingMembers members: Change(members); break;
            case RunProtocol.Start start: Start(start); break;
            case RunProtocol.Get get: Answer(get.Run, get.Coordinator, get.After); break;
            case RunProtocol.Stop stop: Stop(stop); break;
            case TrainingProtocol.Entered entered: Enter(entered); break;
            case Happened happened when happened.Run == _run?.Id: Step(happened.Event); break;
            case Broken broken when broken.Run == _run?.Id: _run.Break(broken.Reason); break;
            case Happened or Broken: break; // Of a run before.
            case RunTick: Step(new CoordinatorEvent.Tick()); break;
            case IClusterMessage heard: Step(new CoordinatorEvent.Heard(heard)); break;
            default: Unhandled(message); break;
        }
    }

    protected override void PostStop() => _run?.Dispose();

    private void Change(TrainingMembers members)
    {
        _members = members;
        Step(new CoordinatorEvent.Members(members.Devices));
    }

    private void Start(RunProtocol.Start start)
    {
        if (_run is { } run && run.Id != start.Run && !run.IsOver)
        {
            Sender.Tell(new RunProtocol.Status(start.Run, "", RunState.Failed, $"Training: run \"{run.Settings.RunName}\" is going on here; a cluster trains one model at a time. Wait for its end, or stop it.", 0, []));
            return;
        }

        if (_run?.Id != start.Run && Read(start) is { } settings) Begin(start, settings);
        else if (_run is { IsOver: true } over && over.Id == start.Run) over.TellEnd();
        Answer(start.Run, "", 0);
    }

    private RunSettings? Read(RunProtocol.Start start)
    {
        try
        {
            var settings = RunSettings.Parse(start.Settings);
            var faults = string.Join(" ", settings.Coordination(LlamaConfigReader.Read(settings.ConfigJson, settings.RunName).Config).Faults());
            if (faults.Length > 0) throw new InvalidDataException(faults);
            return settings;
        }
        catch (InvalidDataException fault)
        {
            Sender.Tell(new RunProtocol.Status(start.Run, "", RunState.Failed, fault.Message, 0, []));
            return null;
        }
    }

    private void Begin(RunProtocol.Start start, RunSettings settings)
    {
        _run?.Dispose();
        _run = new CoordinatedRun(start, settings, node.Time, new PhaseNotes(node.Options.PhaseFolder, "coordinator"));
        _log.Info("Run {Run} is coordinated here, as {Coordinator}", settings.RunName, _run.Name);
        Timers.StartPeriodicTimer(nameof(RunTick), new RunTick(), s_tick);
        Perform(_run.Begin(node.NowMs));
        Step(new CoordinatorEvent.Members(_members.Devices));
    }

    private void Answer(string run, string coordinator, long after) => Sender.Tell(
        _run is { } mine && mine.Id == run ? mine.StatusAfter(coordinator == mine.Name ? after : 0) : new RunProtocol.Status(run, "", RunState.Unknown, "", 0, []));

    private void Stop(RunProtocol.Stop stop)
    {
        if (_run?.Id == stop.Run) Step(new CoordinatorEvent.StopRequested());
        Answer(stop.Run, "", long.MaxValue);
    }

    private void Step(CoordinatorEvent happened)
    {
        if (_run is { } run) Perform(run.Step(happened, node.NowMs));
    }

    private void Perform(ImmutableArray<CoordinatorEffect> effects)
    {
        var run = _run!;
        foreach (var effect in effects)
            switch (effect)
            {
                case CoordinatorEffect.Tell tell: Tell(run, tell); break;
                case CoordinatorEffect.ReadStorage read: OnThread(run, () => run.Storage.Take(read.Epoch)); break;
                case CoordinatorEffect.WriteManifest write: OnThread(run, () => run.Commit(write)); break;
                case CoordinatorEffect.MarkBegun: run.Storage.MarkBegun(); break;
                case CoordinatorEffect.AbandonSave abandon:
                    run.Say($"a checkpoint after {abandon.Folder.Split('-')[0]} steps is given up: {abandon.Reason}");
                    OnThread(run, () =>
                    {
                        run.Storage.Abandon(abandon.Folder);
                        return null;
                    });
                    break;
                case CoordinatorEffect.Expel expel: Expel(run, expel); break;
                case CoordinatorEffect.Planned planned:
                    run.Say($"{planned.Reason}: step {planned.State.StepsDone} is next, on {planned.Plan.Devices.Length} devices");
                    _log.Info("Run {Run}: plan {Plan} on {Devices} devices from {State}: {Reason}", run.Settings.RunName, planned.Plan.Id, planned.Plan.Devices.Length, planned.State, planned.Reason);
                    break;
                case CoordinatorEffect.AttemptFailed failed:
                    _log.Warning("Run {Run}: {Attempt} came to nothing: {Reason}", run.Settings.RunName, failed.Attempt, failed.Reason);
                    break;
                case CoordinatorEffect.StepDone done: run.Done(done.Sums); break;
                case CoordinatorEffect.Evaluated evaluated: run.Evaluated(evaluated.Evaluation); break;
                case CoordinatorEffect.Ended ended:
                    _log.Info("Run {Run} ended: {Outcome}", run.Settings.RunName, ended.Outcome);
                    run.End(ended.Outcome);
                    break;
                default: throw new InvalidOperationException($"Training: {effect.GetType().Name} is no effect of a coordinator.");
            }
    }

    /// <summary>To the owner, which is asked for first where it is not known yet.</summary>
    private void Tell(CoordinatedRun run, CoordinatorEffect.Tell tell)
    {
        if (run.Find(tell.Device) is { } owner)
        {
            if (tell.Message is TrainingProtocol.Begin begin && run.PeersOf(begin.Plan) is { } peers) owner.Tell(peers);
            if (tell.Message is TrainingProtocol.Begin) run.Began();
            owner.Tell(tell.Message);
            return;
        }

        run.Hold(tell);
        if (_members.Hosts.TryGetValue(tell.Device, out var host)) host.Tell(new TrainingProtocol.Enter(run.Id, tell.Device, run.Json));
    }

    private void Enter(TrainingProtocol.Entered entered)
    {
        if (_run is not { } run || run.Id != entered.Run) return;
        if (run.Enter(entered, Sender) is { } held) Tell(run, held);
    }

    private void Expel(CoordinatedRun run, CoordinatorEffect.Expel expel)
    {
        run.Say($"{expel.Device} {expel.Reason} and is given up");
        _log.Warning("Run {Run}: {Device} {Reason}; its node is taken out of the cluster", run.Settings.RunName, expel.Device, expel.Reason);
        Cluster.Get(Context.System).Down(Address.Parse(expel.Device.Node.Address));
    }

    private void OnThread(CoordinatedRun run, Func<CoordinatorEvent?> work) => Task.Factory
        .StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
        .PipeTo(
            Self,
            success: answer => answer is null ? new Broken("", "") : new Happened(run.Id, answer),
            failure: fault => new Broken(run.Id, $"Training: the run's folder cannot be used: {fault.Message}"));
}
