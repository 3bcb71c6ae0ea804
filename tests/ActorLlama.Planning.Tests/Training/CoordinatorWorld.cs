using System.Collections.Immutable;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>A coordinator whose owners say what a test wants. Two pieces, no experts, two slots.</summary>
internal sealed class CoordinatorWorld
{
    public static readonly StateId Start = new("init", 0, 0);

    private readonly Random _random = new(1);
    private long _nowMs;

    public CoordinatorWorld(Func<CoordinatorSettings, CoordinatorSettings>? settings = null, int devices = 2, long epoch = 1)
    {
        var given = new CoordinatorSettings(
            TrainedShapes.Small(experts: 0), new TrainingPlanOptions { Pieces = 4, Slots = 2, MaxTargetLength = 4 }, Start, Steps: 5)
        {
            MinDevices = devices,
            EnableCheckpointing = false,
        };
        Assert.Empty(given.Faults());
        (State, var effects) = CoordinatorRules.Begin(settings?.Invoke(given) ?? given, $"c{epoch}", epoch, 0);
        Effects.AddRange(effects);
        See([.. Enumerable.Range(1, devices)]);
    }

    public CoordinatorState State { get; private set; }

    /// <summary>Effects since <see cref="Clear"/>.</summary>
    public List<CoordinatorEffect> Effects { get; } = [];

    public AttemptId Attempt => Assert.IsType<CoordinatorPhase.Running>(State.Phase).Attempt;

    public TrainingSaveId Save => Of<TrainingProtocol.Snapshot>().Last().Message.Save;

    public TrainingOutcome Outcome => Assert.Single(Effects.OfType<CoordinatorEffect.Ended>()).Outcome;

    public static DeviceId Device(int number) => Devices.Device(number, 0, 0).Id;

    public IEnumerable<(DeviceId Device, T Message)> Of<T>() =>
        Effects.OfType<CoordinatorEffect.Tell>().Where(tell => tell.Message is T).Select(tell => (tell.Device, (T)tell.Message));

    public void Clear() => Effects.Clear();

    public void Step(CoordinatorEvent happened)
    {
        (State, var effects) = CoordinatorRules.Step(State, happened, _nowMs, _random);
        Effects.AddRange(effects);
    }

    public void Hear(IClusterMessage message) => Step(new CoordinatorEvent.Heard(message));

    /// <summary>Time goes by in ticks, while these devices say that they are at work.</summary>
    public void Wait(int ms, params int[] working)
    {
        for (var waited = 0; waited < ms; waited += 100)
        {
            _nowMs += 100;
            Step(new CoordinatorEvent.Tick());
            foreach (var number in working) Hear(new TrainingProtocol.Working(State.Epoch, Device(number), State.Plan!.Id));
        }
    }

    public void See(ImmutableArray<int> devices) => Step(new CoordinatorEvent.Members([.. devices.Select(number => Devices.Device(number, 0, Devices.GiB))]));

    public void Read(params TrainingCheckpoint[] checkpoints) => Step(new CoordinatorEvent.StorageRead(State.Epoch, [.. checkpoints], false));

    public void Hold(int device, TrainingPlan? plan = null, StateId? state = null, TrainingProtocol.HeldAttempt? attempt = null) =>
        Hear(new TrainingProtocol.Held(State.Epoch, Device(device), plan, state, attempt));

    public void Restored()
    {
        foreach (var device in State.Plan!.Devices) Hear(new TrainingProtocol.Restored(State.Epoch, device, State.Plan.Id));
    }

    /// <summary>Until the first attempt runs.</summary>
    public CoordinatorWorld Running()
    {
        Read();
        foreach (var member in State.Members) Hear(new TrainingProtocol.Held(State.Epoch, member.Id, null, null, null));
        Restored();
        return this;
    }

    /// <summary>What the device reports of its slots and pieces; each slot has one token.</summary>
    public TrainingProtocol.Report ReportOf(DeviceId device, AttemptId attempt, double loss = 2, TrainingProtocol.BadTensor? bad = null) => new(
        State.Epoch, device, attempt,
        [.. State.Plan!.SlotsOf(device).Select(slot => new TrainingProtocol.SlotLoss(slot, loss, 0, 0, 1))],
        [.. State.Plan.PiecesOf(device).Select(piece => new TrainingProtocol.ChunkNorm(piece, 4))], bad, [], [], null);

    public void Report(double loss = 2)
    {
        var attempt = Attempt;
        foreach (var device in State.Plan!.Devices) Hear(ReportOf(device, attempt, loss));
    }

    /// <summary>Each owner reports a batch of the held-out text, of so many; each slot has one token.</summary>
    public void ReportHeldOut(double loss, long batches)
    {
        var attempt = Assert.IsType<CoordinatorPhase.Evaluating>(State.Phase).Attempt;
        foreach (var device in State.Plan!.Devices) Hear(ReportOf(device, attempt, loss) with { Norms = [], HeldOut = new TrainingProtocol.HeldOut(batches, 2.5) });
    }

    public void Apply()
    {
        var attempt = Assert.IsType<CoordinatorPhase.Committing>(State.Phase).Attempt;
        foreach (var device in State.Plan!.Devices) Hear(new TrainingProtocol.Applied(State.Epoch, device, attempt, []));
    }

    public void Snapshotted()
    {
        foreach (var device in State.Plan!.Devices) Hear(new TrainingProtocol.Snapshotted(State.Epoch, device, Save));
    }

    public void Written()
    {
        foreach (var device in State.Plan!.Devices) Hear(new TrainingProtocol.Written(State.Epoch, device, Save, [new($"{device}", 1, "")]));
    }
}
