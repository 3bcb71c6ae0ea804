using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>A device: the rules of an owner around a part of the toy model. Its work waits in <see cref="Work"/> until the world lets it be done.</summary>
internal sealed class SimulatedOwner(SimulatedTraining world, DeviceId device)
{
    private readonly Dictionary<int, ulong> _sums = [];
    private readonly Dictionary<(int Part, int Slot), ImmutableDictionary<int, ulong>> _waiting = [];
    private Dictionary<int, ulong> _parts = [];
    private (AttemptId Attempt, StateId State, ImmutableArray<int> Slots, long? Batch, Dictionary<DeviceId, ImmutableDictionary<int, ulong>> Gathered)? _computing;
    private AttemptId? _open;
    private TrainingPlanId? _loading;
    private TrainingSaveId? _writing;

    public DeviceId Device { get; } = device;

    public OwnerState State { get; private set; } = OwnerState.New(device, trunkSegments: 1, moeLayers: 1);

    public Queue<Action> Work { get; } = [];

    public long PausedUntilMs { get; set; }

    /// <summary>Its actor starts anew and knows nothing.</summary>
    public void Restart()
    {
        (State, _computing, _open, _loading, _writing) = (OwnerState.New(Device, 1, 1), null, null, null, null);
        Work.Clear();
        _parts.Clear();
        _sums.Clear();
        _waiting.Clear();
    }

    public void Happen(OwnerEvent happened)
    {
        (State, var effects) = OwnerRules.Step(State, happened);
        foreach (var effect in effects) Do(effect);
    }

    /// <summary>A peer wants this owner's weights, or brings gradients.</summary>
    public void Serve(SimulatedTraining.Call call)
    {
        var admission = OwnerRules.Admit(State, call.Attempt, call.Gradients is null ? call.State : null);
        if (admission is Admission.Adopt) Happen(new OwnerEvent.Called(call.Attempt));
        if (admission is Admission.Refused refused) world.Send(Device, call.From, new SimulatedTraining.Answer(call, null, refused.Message));
        else if (call.Gradients is not { } gradients) world.Send(Device, call.From, new SimulatedTraining.Answer(call, _parts.ToImmutableDictionary(), null));
        else
            foreach (var part in State.GradientParts.ToList())
            {
                if (!_waiting.ContainsKey((part, call.Slot))) _waiting[(part, call.Slot)] = gradients;
                Happen(new OwnerEvent.Contributed(call.Attempt, part, call.Slot));
            }
    }

    public void Hear(SimulatedTraining.Answer answer)
    {
        if (_computing is not { } computing || computing.Attempt != answer.Call.Attempt) return;
        if (answer.Fault is { } fault)
        {
            Happen(new OwnerEvent.AttemptFailed(computing.Attempt, fault));
            return;
        }

        computing.Gathered[answer.Call.To] = answer.Weights!;
        var plan = State.Plan!;
        if (computing.Gathered.Count < plan.Devices.Length) return;
        var all = computing.Gathered.Values.SelectMany(parts => parts).ToDictionary(p => p.Key, p => p.Value);
        ImmutableArray<ulong> parts = [.. Enumerable.Range(0, world.Model.Parts).Select(part => all[part])];
        world.IsKnown(computing.State.StepsDone, parts, $"{Device} gathered for {computing.Attempt}");
        var weights = ToyModel.HashOf(parts);
        if (computing.Batch is { } batch)
        {
            Happen(new OwnerEvent.Computed(
                computing.Attempt, [.. computing.Slots.Select(slot => world.Model.HeldOutLoss(weights, batch, slot))], [], [], new TrainingProtocol.HeldOut(ToyModel.HeldOut, 1)));
            return;
        }

        world.Foresee(parts, computing.Attempt);
        foreach (var slot in computing.Slots)
        {
            var gradients = Enumerable.Range(0, world.Model.Parts).ToImmutableDictionary(part => part, part => world.Model.Gradient(weights, computing.Attempt, slot, part));
            foreach (var owner in plan.Devices) world.Send(Device, owner, new SimulatedTraining.Call(Device, owner, computing.Attempt, computing.State, slot, gradients));
        }

        Happen(new OwnerEvent.Computed(computing.Attempt, [.. computing.Slots.Select(slot => world.Model.Loss(weights, computing.Attempt, slot))], [], [], null));
    }

    private IEnumerable<int> PartsOf(TrainingPlan plan) => plan.PiecesOf(Device).Concat(plan.ExpertShardsOf(Device).Select(shard => world.Model.Pieces + shard));

    /// <summary>The parts that a gradient part is of.</summary>
    private IEnumerable<int> PartsOf(int gradientPart) =>
        gradientPart == 0 ? State.Plan!.PiecesOf(Device) : [world.Model.Pieces + gradientPart - State.ExpertPart(0, 0)];

    private void Do(OwnerEffect effect)
    {
        switch (effect)
        {
            case OwnerEffect.Tell tell: world.Say(Device, tell.Message); break;
            case OwnerEffect.Load load:
                _loading = load.Plan.Id;
                Work.Enqueue(() => Load(load));
                break;
            case OwnerEffect.Unload: _parts.Clear(); break;
            case OwnerEffect.Open open: _open = open.Attempt; break;
            case OwnerEffect.Compute compute:
                _computing = (compute.Attempt, compute.State, compute.Slots, compute.Batch, []);
                foreach (var owner in State.Plan!.Devices) world.Send(Device, owner, new SimulatedTraining.Call(Device, owner, compute.Attempt, compute.State, 0, null));
                break;
            case OwnerEffect.Add add:
                foreach (var slot in add.Slots)
                    foreach (var part in PartsOf(add.Part)) _sums[part] = ToyModel.Add(_sums.GetValueOrDefault(part), _waiting[(add.Part, slot)][part]);
                break;
            case OwnerEffect.Reject: break;
            case OwnerEffect.Measure measure:
                Work.Enqueue(() => Happen(new OwnerEvent.Measured(
                    measure.Attempt, [.. PartsOf(State.Plan!).Select(part => ToyModel.Norm(part, _sums.GetValueOrDefault(part)))], null)));
                break;
            case OwnerEffect.Apply apply: Work.Enqueue(() => Apply(apply)); break;
            case OwnerEffect.Drop drop:
                Assert.Equal(drop.Attempt, _open ?? drop.Attempt);
                (_computing, _open) = (null, null);
                _sums.Clear();
                _waiting.Clear();
                break;
            case OwnerEffect.TakeSnapshot snapshot:
                _writing = snapshot.Save;
                var copy = PartsOf(snapshot.Plan).ToImmutableDictionary(part => part, part => _parts[part]);
                Work.Enqueue(() => Write(snapshot, copy));
                break;
            case OwnerEffect.DropSnapshot: _writing = null; break;
            default: throw new InvalidOperationException($"{effect}");
        }
    }

    private void Load(OwnerEffect.Load load)
    {
        if (_loading != load.Plan.Id) return;
        _loading = null;
        var source = load.Folder is null ? world.Model.Initial : world.Storage.Read(load.Folder);
        if (source is not { } stored || world.Fails())
        {
            Happen(new OwnerEvent.LoadFailed(load.Plan.Id, "it cannot be read", Damaged: source is null));
            return;
        }

        var kept = load.Keep ? _parts : [];
        _parts = PartsOf(load.Plan).ToDictionary(part => part, part => kept.TryGetValue(part, out var held) ? held : stored[part]);
        Happen(new OwnerEvent.Loaded(load.Plan.Id));
    }

    private void Apply(OwnerEffect.Apply apply)
    {
        // A restore has come between.
        if (_open != apply.Attempt) return;
        var fails = world.Fails();
        foreach (var part in _parts.Keys.Take(fails ? _parts.Count / 2 : _parts.Count).ToList())
            _parts[part] = ToyModel.Update(_parts[part], _sums.GetValueOrDefault(part), apply.Factor);
        Happen(fails ? new OwnerEvent.ApplyFailed(apply.Attempt, "out of memory") : new OwnerEvent.Applied(apply.Attempt, []));
    }

    private void Write(OwnerEffect.TakeSnapshot snapshot, ImmutableDictionary<int, ulong> copy)
    {
        if (_writing != snapshot.Save) return;
        if (world.Fails())
        {
            Happen(new OwnerEvent.WriteFailed(snapshot.Save, "the disk is full"));
            return;
        }

        var name = $"{snapshot.Folder}/{Device}";
        world.Storage.Write(name, copy);
        Happen(new OwnerEvent.Written(snapshot.Save, [new SaveProtocol.File(name, copy.Count, "")]));
    }
}
