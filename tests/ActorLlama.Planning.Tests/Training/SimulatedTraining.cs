using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Sessions;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>
/// A cluster that trains the toy model, everything in it drawn from one seed: messages come in any order, twice or never; devices and coordinators die, freeze, restart and are
/// replaced at any point; disks fail. After the last fault all must come to an end. What it checks on the way: whoever gathers weights gathers one state that training can
/// reach, and so does every checkpoint.
/// </summary>
internal sealed class SimulatedTraining
{
    /// <summary>A call of one owner to another during an attempt; without gradients it asks for weights.</summary>
    public sealed record Call(DeviceId From, DeviceId To, AttemptId Attempt, StateId State, int Slot, ImmutableDictionary<int, ulong>? Gradients);

    public sealed record Answer(Call Call, ImmutableDictionary<int, ulong>? Weights, string? Fault);

    private sealed record ToCoordinator(int Coordinator, CoordinatorEvent Event);

    private sealed record ToOwner(DeviceId Device, object Message);

    private readonly int _seed;
    private readonly Random _random;
    private readonly List<(long AtMs, object What)> _trace = [];
    private readonly Dictionary<DeviceId, SimulatedOwner> _owners = [];
    private readonly HashSet<DeviceId> _expelled = [];
    private readonly Dictionary<int, CoordinatorState> _coordinators = [];
    private readonly List<object> _network = [];
    private readonly List<SimulatedOwner> _busy = [];
    private readonly PriorityQueue<Action, long> _later = new();
    private readonly Dictionary<long, HashSet<ulong>> _known = [];
    private readonly CoordinatorSettings _settings;
    private readonly int _maxDevices;
    private long _nowMs;
    private int _nodes, _current, _faults;

    public SimulatedTraining(int seed)
    {
        _random = new Random(seed);
        _seed = seed;
        var (devices, slots) = (1 + _random.Next(4), 1 + _random.Next(4));
        Model = new ToyModel(8 + _random.Next(5), 1 + _random.Next(3), slots, IsDeterministic: _random.Next(3) > 0, NotFiniteStep: _random.Next(6) == 0 ? 2 : -1);
        _maxDevices = devices + 1;
        _faults = _random.Next(8);
        _settings = new CoordinatorSettings(
            new TrainedShape(Shapes.Tiny(1, Model.Experts), [new("w", 0, 1000)], 100),
            new TrainingPlanOptions { Pieces = Model.Pieces, ExpertShards = Model.Experts, Slots = slots, MaxTargetLength = 4 },
            new StateId("init", 0, 0), Steps: 3 + _random.Next(4))
        {
            MinDevices = devices,
            NotFinite = new(false, false),
            ClipNorm = _random.Next(2) == 0 ? 1.0 : null,
            WaitForReplacement = _random.Next(3) == 0,
            EnableCheckpointing = _random.Next(8) > 0,
            AsyncCheckpointing = _random.Next(4) > 0,
            CheckpointPeriod = 1 + _random.Next(3),
            EvalInterval = _random.Next(3),
            EvalBatches = _random.Next(3),
            SaveOnStart = _random.Next(4) > 0,
            MaxAttempts = 40,
            SilenceMs = 3000,
            StepDeadlineMs = 8000,
            RestoreDeadlineMs = 8000,
            SaveDeadlineMs = 6000,
            ReplacementMs = 600_000,
            BackOff = new BackOff(100, 1000),
        };
        Storage = new SimulatedStorage(this);
        _known[0] = [ToyModel.HashOf(Model.Initial)];
        for (var i = 0; i < devices; i++) Join();
        StartCoordinator();
    }

    public ToyModel Model { get; }

    public SimulatedStorage Storage { get; }

    public CoordinatorSettings Settings => _settings;

    /// <summary>How the run ended; null: not yet.</summary>
    public TrainingOutcome? Outcome { get; private set; }

    /// <summary>Losses of the steps that coordinators said were done.</summary>
    public Dictionary<long, HashSet<double>> Losses { get; } = [];

    /// <summary>Losses of the held-out text that coordinators told of, by the step before.</summary>
    public Dictionary<long, HashSet<double>> Evaluations { get; } = [];

    /// <summary>Who died, and in which phase of the run.</summary>
    public List<(string Who, Type Phase)> Deaths { get; } = [];

    public void Run(int mostEvents)
    {
        for (var i = 0; i < mostEvents && Outcome is null; i++) Turn();
        Check(Outcome is not null, $"no end after {mostEvents} events");
    }

    /// <summary>Fails with the seed and what happened last.</summary>
    public void Check(bool holds, string what)
    {
        if (!holds) Assert.Fail($"seed {_seed}: {what}; coordinator {_coordinators[_current].Phase}\n{string.Join('\n', _trace.TakeLast(60))}");
    }

    public void IsKnown(long stepsDone, ImmutableArray<ulong> parts, string who) =>
        Check(_known.TryGetValue(stepsDone, out var states) && states.Contains(ToyModel.HashOf(parts)), $"{who}: no such state");

    /// <summary>The state that an attempt leads to, if it is committed.</summary>
    public void Foresee(ImmutableArray<ulong> parts, AttemptId attempt)
    {
        if (!_known.TryGetValue(attempt.Step + 1, out var states)) _known[attempt.Step + 1] = states = [];
        states.Add(ToyModel.HashOf(Model.Step(parts, attempt, _settings).Next));
    }

    /// <summary>Whether something that may fail does.</summary>
    public bool Fails()
    {
        if (_faults <= 0 || _random.Next(60) > 0) return false;
        _faults--;
        Note("something fails");
        return true;
    }

    public void Send(DeviceId from, DeviceId to, object message)
    {
        // The lane delivers, or its end tells who sent.
        if (_faults > 0 && _random.Next(300) == 0) LaneFails(from, message);
        else _network.Add(new ToOwner(to, message));
    }

    public void Say(DeviceId from, IClusterMessage message)
    {
        if (_owners.ContainsKey(from)) foreach (var coordinator in _coordinators.Keys) Post(new ToCoordinator(coordinator, new CoordinatorEvent.Heard(message)));
    }

    private void Post(object message)
    {
        var luck = _random.Next(100);
        if (luck >= 3) _network.Add(message);
        if (luck >= 97) _network.Add(message);
    }

    private void Turn()
    {
        if (_faults > 0 && _random.Next(70) == 0) Fault();
        _busy.Clear();
        foreach (var owner in _owners.Values)
            if (owner.Work.Count > 0 && owner.PausedUntilMs <= _nowMs) _busy.Add(owner);
        var choice = _random.Next(_network.Count + _busy.Count + 1);
        if ((_network.Count + _busy.Count == 0) || _random.Next(40) == 0) Pass(50 + _random.Next(500));
        else if (choice < _network.Count)
        {
            var message = _network[choice];
            _network[choice] = _network[^1];
            _network.RemoveAt(_network.Count - 1);
            Deliver(message);
        }
        else if (_busy.Count > 0) _busy[_random.Next(_busy.Count)].Work.Dequeue()();
    }

    private void Pass(int ms)
    {
        _nowMs += ms;
        while (_later.TryPeek(out var action, out var at) && at <= _nowMs)
        {
            _later.Dequeue();
            action();
        }

        foreach (var coordinator in _coordinators.Keys.ToList()) Tell(coordinator, new CoordinatorEvent.Tick());
    }

    private void Deliver(object message)
    {
        switch (message)
        {
            case ToCoordinator to: Tell(to.Coordinator, to.Event); break;
            case ToOwner to when !_owners.TryGetValue(to.Device, out _):
                if (to.Message is Call lost) LaneFails(lost.From, lost);
                break;
            case ToOwner to when _owners[to.Device].PausedUntilMs > _nowMs: _later.Enqueue(() => _network.Add(message), _owners[to.Device].PausedUntilMs); break;
            case ToOwner { Message: Call call } to: _owners[to.Device].Serve(call); break;
            case ToOwner { Message: Answer answer } to: _owners[to.Device].Hear(answer); break;
            case ToOwner to: _owners[to.Device].Happen(new OwnerEvent.Told((IClusterMessage)to.Message)); break;
        }
    }

    private void LaneFails(DeviceId from, object message)
    {
        var attempt = message is Call call ? call.Attempt : ((Answer)message).Call.Attempt;
        var caller = message is Call ? from : ((Answer)message).Call.From;
        if (_random.Next(3) > 0) _later.Enqueue(() => _owners.GetValueOrDefault(caller)?.Happen(new OwnerEvent.AttemptFailed(attempt, "the lane ended")), _nowMs + _random.Next(1500));
    }

    private void Tell(int coordinator, CoordinatorEvent happened)
    {
        if (!_coordinators.TryGetValue(coordinator, out var state)) return;
        (state, var effects) = CoordinatorRules.Step(state, happened, _nowMs, _random);
        _coordinators[coordinator] = state;
        foreach (var effect in effects) Do(coordinator, effect);
    }

    private void Do(int coordinator, CoordinatorEffect effect)
    {
        if (effect is not CoordinatorEffect.Tell) Note((coordinator, effect));
        switch (effect)
        {
            case CoordinatorEffect.Tell tell: Post(new ToOwner(tell.Device, tell.Message)); break;
            case CoordinatorEffect.ReadStorage read: Disk(coordinator, () => Storage.Claim(coordinator, read.Epoch)); break;
            case CoordinatorEffect.WriteManifest manifest: Disk(coordinator, () => Storage.Commit(coordinator, manifest)); break;
            case CoordinatorEffect.MarkBegun: Storage.MarkBegun(); break;
            case CoordinatorEffect.AbandonSave abandon: Storage.Abandon(abandon.Folder); break;
            case CoordinatorEffect.Expel expel:
                if (_owners.ContainsKey(expel.Device) && _expelled.Add(expel.Device)) Lose(expel.Device, afterMs: _random.Next(4000));
                break;
            case CoordinatorEffect.StepDone done: Done(done.Sums); break;
            case CoordinatorEffect.Evaluated { Evaluation: var told }: Evaluations[told.Step] = [.. Evaluations.GetValueOrDefault(told.Step) ?? [], told.Loss]; break;
            case CoordinatorEffect.Ended { Outcome: TrainingOutcome.StoodDown }:
                if (coordinator == _current) StartCoordinator();
                break;
            case CoordinatorEffect.Ended ended:
                // One that was cut off may get the last step done before anybody has heard of the next one.
                if (coordinator == _current || ended.Outcome is TrainingOutcome.Completed) Outcome ??= ended.Outcome;
                break;
        }
    }

    private void Note(object what) => _trace.Add((_nowMs, what));

    private void Done(StepSums sums)
    {
        if (!Losses.TryGetValue(sums.Step, out var losses)) Losses[sums.Step] = losses = [];
        losses.Add(sums.Loss);
    }

    /// <summary>Disk work is done, then answered; its coordinator may be gone by then.</summary>
    private void Disk(int coordinator, Func<CoordinatorEvent> work) => _later.Enqueue(
        () =>
        {
            var answer = work();
            _later.Enqueue(() => Tell(coordinator, answer), _nowMs + _random.Next(300));
        },
        _nowMs + _random.Next(600));

    private void Fault()
    {
        _faults--;
        var devices = _owners.Keys.ToList();
        switch (_random.Next(10))
        {
            case 0 or 1 or 2 when devices.Count > 0:
                var victim = devices[_random.Next(devices.Count)];
                Note($"{victim} dies");
                Deaths.Add(("owner", _coordinators[_current].Phase.GetType()));
                Lose(victim, afterMs: 0);
                break;
            case 3 or 4:
                // One that is only cut off goes on for a while.
                var old = _current;
                var lingersMs = _random.Next(2) * _random.Next(5000);
                Note($"coordinator {old} dies in {lingersMs} ms");
                Deaths.Add(("coordinator", _coordinators[_current].Phase.GetType()));
                if (lingersMs == 0) _coordinators.Remove(old);
                else _later.Enqueue(() => _coordinators.Remove(old), _nowMs + lingersMs);
                StartCoordinator();
                break;
            case 5 when devices.Count > 0:
                var frozen = devices[_random.Next(devices.Count)];
                Note($"{frozen} freezes");
                _owners[frozen].PausedUntilMs = _nowMs + _random.Next(6000);
                break;
            case 6 when devices.Count > 0:
                var restarted = devices[_random.Next(devices.Count)];
                Note($"the owner on {restarted} restarts");
                _owners[restarted].Restart();
                break;
            case 7 when _random.Next(4) == 0:
                Note("the newest checkpoint is damaged");
                Storage.Damage();
                break;
            case 8 when devices.Count < _maxDevices: Join(); break;
        }
    }

    private void Lose(DeviceId device, int afterMs)
    {
        _later.Enqueue(
            () =>
            {
                if (_owners.Remove(device) && (_settings.WaitForReplacement || _owners.Count < _settings.MinDevices || _random.Next(2) == 0)) _later.Enqueue(Join, _nowMs + _random.Next(8000));
                foreach (var coordinator in _coordinators.Keys) Announce(coordinator, _random.Next(3000));
            },
            _nowMs + afterMs);
    }

    private void Join()
    {
        var device = Devices.Device(++_nodes, 0, Devices.GiB).Id;
        Note($"{device} joins");
        _owners[device] = new SimulatedOwner(this, device);
        foreach (var coordinator in _coordinators.Keys) Announce(coordinator, _random.Next(1000));
    }

    private void StartCoordinator()
    {
        var highest = _coordinators.Values.Select(state => state.Epoch).DefaultIfEmpty(0).Max();
        var number = ++_current;
        var (state, effects) = CoordinatorRules.Begin(_settings, $"c{number}", Math.Max(1, highest + _random.Next(-1, 2)), _nowMs);
        _coordinators[number] = state;
        foreach (var effect in effects) Do(number, effect);
        Announce(number, _random.Next(500));
    }

    /// <summary>The members as they are when this is heard.</summary>
    private void Announce(int coordinator, int afterMs) => _later.Enqueue(
        () => Tell(coordinator, new CoordinatorEvent.Members([
            .. _owners.Keys.Where(device => !_expelled.Contains(device)).Select(device => new PlannedDevice(device, device.Name, device.Node.Address, Devices.GiB, true, true))])),
        _nowMs + afterMs);
}
