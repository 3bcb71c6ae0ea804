using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Training.Data;
using ActorLlama.Training.Runs;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Training.Actors;

/// <summary>
/// The owner of what a run's plan gives to a device: pieces of the trunk and whole expert shards, on the device's thread. The only one there that speaks with the coordinator; what it
/// does is what <see cref="OwnerRules"/> say, whose state is its state. Gradients and expert rows come to it on the lane.
/// </summary>
internal sealed class ParameterShardActor : TrainingWorker
{
    private readonly NodeContext _node;
    private readonly NodeDevice _device;
    private readonly RunContext _run;
    private readonly string _name;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Contributions _contributions;
    private readonly PhaseNotes _notes;
    private IActorRef _trainer = ActorRefs.Nobody;
    private IActorRef _coordinator = ActorRefs.Nobody;
    private LaneTarget _self;
    private OwnerState _state;
    private OwnedParts? _parts;
    private DataSet? _data;
    private PartsLoad? _load;
    private PartsCopy? _copy;
    private TrainingProtocol.Peers? _peers;

    public ParameterShardActor(NodeContext node, NodeDevice device, string name, RunContext run)
        : base(node, device, run.Clock)
    {
        (_node, _device, _name, _run) = (node, device, name, run);
        _state = NewState();
        _contributions = new Contributions(run, node.Lane);
        _notes = new PhaseNotes(node.Options.PhaseFolder, run.Device.Name);
    }

    public static Props Props(NodeContext node, NodeDevice device, TrainingProtocol.Enter enter) => Akka.Actor.Props.Create(() =>
        new ParameterShardActor(node, device, enter.Run, new RunContext(RunSettings.Parse(enter.Settings), enter.Device)));

    protected override void PreStart()
    {
        if (_run.DeviceName == "cpu") TorchDevices.LimitThreads(_device.Options.Threads);
        _self = _node.Lane.Register(Self);
        _trainer = Context.ActorOf(TrainerActor.Props(_node, _device, _run).WithDispatcher(_device.Dispatcher), "trainer");
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case TrainingProtocol.Enter: Sender.Tell(new TrainingProtocol.Entered(_name, _run.Device, _self)); break;
            case TrainingProtocol.Peers peers: _peers = peers; break;
            case TrainingProtocol.End end: End(end); break;
            case IClusterMessage told: Hear(told); break;
            case LaneEnvelope envelope: Serve(envelope); break;
            case LaneFailed: break; // An answer that could not be sent: whoever waits for it hears of the lane's end, too.
            case TrainerActor.Computed computed: Happen(computed.Event); break;
            case TrainerActor.Failed failed: Happen(new OwnerEvent.AttemptFailed(failed.Attempt, failed.Reason)); break;
            case PartsLoad.Ended ended: Loaded(ended); break;
            case PartsCopy.Ended ended: Happen(ended.Event); break;
            default: Unhandled(message); break;
        }
    }

    /// <summary>What it held is gone; whoever hears of it next is told so.</summary>
    protected override void PostStop()
    {
        _node.Lane.Unregister(_self);
        _contributions.Drop();
        _load?.Dispose();
        _copy?.Dispose();
        _parts?.Dispose();
        _notes.Dispose();
        _run.Dispose();
    }

    private OwnerState NewState() => OwnerState.New(_run.Device, TrunkSegments.Count(_run.Config), _run.MoeLayers);

    private void Hear(IClusterMessage told)
    {
        var (state, effects) = OwnerRules.Step(_state, new OwnerEvent.Told(told));
        // Whoever is refused gets that answer and no other.
        if (!effects.Any(effect => effect is OwnerEffect.Tell { Message: TrainingProtocol.Fenced })) _coordinator = Sender;
        _state = state;
        foreach (var effect in effects) Perform(effect, Sender);
    }

    private void End(TrainingProtocol.End end)
    {
        Hear(end);
        if (_state.Plan is null && end.Epoch >= _state.Epoch) Context.Stop(Self);
    }

    private void Happen(OwnerEvent happened)
    {
        (_state, var effects) = OwnerRules.Step(_state, happened);
        foreach (var effect in effects) Perform(effect, _coordinator);
    }

    private void Perform(OwnerEffect effect, IActorRef coordinator)
    {
        switch (effect)
        {
            case OwnerEffect.Tell tell:
                if (tell.Message is TrainingProtocol.Report report) _notes.Note("report", report.Attempt.Step);
                coordinator.Tell(tell.Message);
                break;
            case OwnerEffect.Load load: Load(load); break;
            case OwnerEffect.Unload: Unload(); break;
            case OwnerEffect.Open: _parts!.ClearGradients(); break;
            case OwnerEffect.Compute compute: Compute(compute); break;
            case OwnerEffect.Add add: _contributions.Add(add, _parts!); break;
            case OwnerEffect.Reject reject: _contributions.Reject(reject); break;
            case OwnerEffect.Measure measure: Measure(measure); break;
            case OwnerEffect.Apply apply: Apply(apply); break;
            case OwnerEffect.Drop drop:
                _trainer.Tell(new TrainerActor.Drop(drop.Attempt));
                _contributions.Drop();
                break;
            case OwnerEffect.TakeSnapshot take: TakeSnapshot(take); break;
            case OwnerEffect.DropSnapshot:
                _copy?.Dispose();
                _copy = null;
                break;
            default: throw new InvalidOperationException($"Training: {effect.GetType().Name} is no effect of an owner.");
        }
    }

    private void Load(OwnerEffect.Load load)
    {
        Unload();
        _notes.Note("load", load.State.StepsDone);
        _log.Info("Training: plan {Plan} gives {Pieces} pieces and {Shards} expert shards to {Device}", load.Plan.Id, load.Plan.PiecesOf(_run.Device).Count(), load.Plan.ExpertShardsOf(_run.Device).Count(), _run.Device);
        _load = PartsLoad.Start(_device.Loader, Self, _run, load, _data);
    }

    private void Unload()
    {
        _load?.Dispose();
        _parts?.Dispose();
        (_load, _parts) = (null, null);
    }

    private void Loaded(PartsLoad.Ended ended)
    {
        if (!ReferenceEquals(ended.Load, _load)) return;
        if (_load.Take() is { } loaded)
        {
            (_parts, _data) = loaded;
            _log.Info("Training: {Device} holds {Bytes} bytes of weights, gradients and moments, {Planned} by the plan", _run.Device.Name, _parts.Bytes, _run.PlannedBytes(_parts.Plan));
        }

        Happen(_parts is not null ? new OwnerEvent.Loaded(ended.Plan) : new OwnerEvent.LoadFailed(ended.Plan, ended.Fault!, ended.IsDamaged));
    }

    private void Compute(OwnerEffect.Compute compute)
    {
        _notes.Note(compute.Batch is null ? "forward" : "evaluate", compute.Attempt.Step);
        if (compute.Batch is not null && _data!.HeldOut is null) Happen(new OwnerEvent.Computed(compute.Attempt, [], [], [], new TrainingProtocol.HeldOut(0, 0)));
        else if (_peers is { } peers && peers.Plan == _state.Plan!.Id)
            _trainer.Tell(new TrainerActor.Compute(compute.Attempt, compute.State, _state.Plan, peers.Targets, compute.Slots, _data!, compute.Batch));
        else Self.Tell(new TrainerActor.Failed(compute.Attempt, $"{_run.Device} has not been told where the others of plan {_state.Plan!.Id} are"));
    }

    /// <summary>A call of another device's trainer, or this one's.</summary>
    private void Serve(LaneEnvelope envelope)
    {
        var id = TrainerActor.IdOf(envelope.Message);
        var admission = OwnerRules.Admit(_state, id.Attempt, StateOf(envelope.Message));
        if (admission is Admission.Refused refused)
        {
            _contributions.Refuse(envelope, refused.Reason, refused.Message);
            return;
        }

        if (admission is Admission.Adopt) Happen(new OwnerEvent.Called(id.Attempt));
        try
        {
            Serve(envelope, id);
        }
        catch (Exception fault) when (fault is not InvalidOperationException)
        {
            // Out of memory, or rows that do not fit: it fails the attempt, and nothing else.
            _contributions.Refuse(envelope, ExchangeRefusal.Failed, fault.Message);
            Happen(new OwnerEvent.AttemptFailed(id.Attempt, fault.Message));
        }
    }

    private void Serve(LaneEnvelope envelope, ExchangeId id)
    {
        switch (envelope.Message)
        {
            case ExchangeProtocol.Gather: _contributions.Gather(envelope, id, _parts!); break;
            case ExchangeProtocol.Dispatch dispatch: _contributions.Run(envelope, dispatch, _parts!); break;
            case ExchangeProtocol.Scatter: Contribute(envelope, id, id.Segment); break;
            case ExchangeProtocol.DispatchGradient: Contribute(envelope, id, _state.ExpertPart(id.Target, LossSums.MoeIndex(_run.Config, id.Segment - 1))); break;
            default: throw new MessageFormatException($"Training: {envelope.Message.GetType().Name} is no call to an owner.");
        }
    }

    private void Contribute(LaneEnvelope envelope, ExchangeId id, int part)
    {
        _notes.Note("exchange", id.Attempt.Step);
        _contributions.Keep(part, id.Slot, envelope, _state.Plan!);
        Happen(new OwnerEvent.Contributed(id.Attempt, part, id.Slot));
    }

    private static StateId? StateOf(ILaneMessage message) => message switch
    {
        ExchangeProtocol.Gather gather => gather.State,
        ExchangeProtocol.Dispatch dispatch => dispatch.State,
        ExchangeProtocol.DispatchGradient dispatch => dispatch.State,
        _ => null,
    };

    private void Measure(OwnerEffect.Measure measure)
    {
        using var phase = Clock.Enter(StepPhase.Sums);
        var (norms, bad) = ChunkSums.OfGradients(_parts!.Shards, _run.Chunks, ParameterTable.Of(_run.Config), _run.ChunksOf(_parts.Plan));
        Happen(new OwnerEvent.Measured(measure.Attempt, norms, bad));
    }

    private void Apply(OwnerEffect.Apply apply)
    {
        _notes.Note("commit", apply.Attempt.Step);
        using var phase = Clock.Enter(StepPhase.Update);
        try
        {
            var options = _run.Settings.Options;
            if (apply.Factor is { } factor) _parts!.Apply(options.Adam, apply.Update, options.LearningRates.At(apply.Update - 1), factor);
        }
        catch (Exception fault)
        {
            Happen(new OwnerEvent.ApplyFailed(apply.Attempt, fault.Message));
            return;
        }

        var weights = ChunkSums.OfWeights(_parts!.Shards, _run.Chunks, _run.ChunksOf(_parts.Plan));
        _notes.Note("applied", apply.Attempt.Step);
        Happen(new OwnerEvent.Applied(apply.Attempt, weights));
    }

    private void TakeSnapshot(OwnerEffect.TakeSnapshot take)
    {
        _copy?.Dispose();
        _copy = PartsCopy.Start(_device.Loader, Self, _run, _notes, take, _parts!);
    }
}
