using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;
using Akka.Actor;

namespace ActorLlama.Training.Actors;

/// <summary>A run at its coordinator: the rules' state, who the owners are, and what clients and files are told. Its actor's.</summary>
internal sealed class CoordinatedRun : IDisposable
{
    private const int MostEvents = 4096;

    private readonly RunProtocol.Start _start;
    private readonly TimeProvider _time;
    private readonly Random _random = new();
    private readonly Queue<RunProtocol.Event> _events = [];
    private readonly Dictionary<DeviceId, (IActorRef Owner, LaneTarget Target)> _owners = [];
    private readonly Dictionary<DeviceId, CoordinatorEffect.Tell> _held = [];
    private readonly CoordinatorSettings _settings;
    private readonly MetricsFile? _metrics;
    private readonly PhaseNotes _notes;
    private CoordinatorState? _state;
    private (RunState State, string Reason)? _end;
    private long _number, _began;
    private long? _deciding;

    /// <exception cref="InvalidDataException">The settings describe no model.</exception>
    public CoordinatedRun(RunProtocol.Start start, RunSettings settings, TimeProvider time, PhaseNotes notes)
    {
        (_start, Settings, _time, _notes) = (start, settings, time, notes);
        _settings = settings.Coordination(LlamaConfigReader.Read(settings.ConfigJson, settings.RunName).Config);
        Storage = new RunStorage(settings, start.Run, Name, start.MayHaveBegun);
        _metrics = MetricsOf(settings);
    }

    public string Id => _start.Run;

    public string Json => _start.Settings;

    public RunSettings Settings { get; }

    /// <summary>No other coordinator has it.</summary>
    public string Name { get; } = Guid.NewGuid().ToString("N");

    public RunStorage Storage { get; }

    public bool IsOver => _end is not null;

    public ImmutableArray<CoordinatorEffect> Begin(long nowMs)
    {
        (_state, var effects) = CoordinatorRules.Begin(_settings, Name, 1, nowMs);
        return effects;
    }

    public ImmutableArray<CoordinatorEffect> Step(CoordinatorEvent happened, long nowMs)
    {
        (_state, var effects) = CoordinatorRules.Step(_state!, happened, nowMs, _random);
        var deciding = (_state.Phase as CoordinatorPhase.Committing)?.Attempt.Step;
        if (deciding is { } step) _notes.Note("decide", step);
        else if (_deciding is { } decided) _notes.Note("decided", decided);
        _deciding = deciding;
        return effects;
    }

    /// <summary>Makes owners' parts one checkpoint. Blocking: for a thread of its own.</summary>
    public CoordinatorEvent Commit(CoordinatorEffect.WriteManifest manifest)
    {
        _notes.Note("manifest", manifest.State.StepsDone);
        try
        {
            return Storage.Commit(manifest);
        }
        finally
        {
            _notes.Note("manifested", manifest.State.StepsDone);
        }
    }

    public IActorRef? Find(DeviceId device) => _owners.TryGetValue(device, out var owner) ? owner.Owner : null;

    /// <summary>To be told once the device has an owner.</summary>
    public void Hold(CoordinatorEffect.Tell tell) => _held[tell.Device] = tell;

    /// <summary>A device's owner; what it is to be told now, or null.</summary>
    public CoordinatorEffect.Tell? Enter(TrainingProtocol.Entered entered, IActorRef owner)
    {
        _owners[entered.Device] = (owner, entered.Target);
        return _held.Remove(entered.Device, out var held) ? held : null;
    }

    /// <summary>Where a plan's owners are; null while one is not known.</summary>
    public TrainingProtocol.Peers? PeersOf(TrainingPlanId plan) =>
        _state?.Plan is { } current && current.Id == plan && current.Devices.All(_owners.ContainsKey)
            ? new TrainingProtocol.Peers(plan, [.. current.Devices.Select(device => _owners[device].Target)])
            : null;

    /// <summary>An attempt has begun: the step's time runs from the first.</summary>
    public void Began()
    {
        if (_began == 0) _began = _time.GetTimestamp();
    }

    /// <summary>Metrics first: what follows may be the run's end.</summary>
    public void Done(StepSums sums)
    {
        var seconds = _began == 0 ? 0 : _time.GetElapsedTime(_began).TotalSeconds;
        _began = 0;
        var tokens = Math.Max(1, sums.Tokens);
        var updates = _state!.State is { } now ? now.Updates - (sums.Factor is null ? 0 : 1) : 0;
        var step = new RunProtocol.Step(
            sums.Step, seconds, sums.LmLoss, sums.ZLoss / tokens, sums.LoadBalance, sums.Tokens, sums.ClippedNorm, sums.RawNorm, sums.ParamNorm,
            Settings.Options.LearningRates.At(updates), sums.NotFinite, sums.ExpertRows, sums.Micros);
        if (sums.NotFinite is null) _metrics?.Write(Settings.Figures, StepReport.Of(step));
        Tell(step, "", null);
    }

    public void Evaluated(RunProtocol.Evaluation evaluation)
    {
        _metrics?.Write(Settings.Figures, EvalReport.Of(evaluation));
        Tell(null, "", evaluation);
    }

    public void Say(string text) => Tell(null, text, null);

    public void End(TrainingOutcome outcome)
    {
        _metrics?.Dispose();
        _end = outcome switch
        {
            TrainingOutcome.Completed { Stopped: true } => (RunState.Stopped, ""),
            TrainingOutcome.Completed => (RunState.Completed, ""),
            TrainingOutcome.Failed failed => (RunState.Failed, failed.Reason),
            TrainingOutcome.NoCompleteState none => (RunState.Failed, none.Reason),
            TrainingOutcome.NotFinite bad => (RunState.Failed, NotFiniteReason(bad)),
            // Whoever has it now answers for it.
            _ => (RunState.Unknown, ""),
        };
    }

    /// <summary>An owner has not heard that the run is over.</summary>
    public void TellEnd()
    {
        foreach (var (owner, _) in _owners.Values) owner.Tell(new TrainingProtocol.End(_state!.Epoch));
    }

    /// <summary>It cannot go on for a reason that the rules do not know.</summary>
    public void Break(string reason) => _end ??= (RunState.Failed, reason);

    public RunProtocol.Status StatusAfter(long number)
    {
        var (state, reason) = _end ?? _state!.Phase switch
        {
            CoordinatorPhase.Asking or CoordinatorPhase.Restoring => (RunState.Starting, ""),
            CoordinatorPhase.Waiting waiting => (RunState.Waiting, waiting.Reason),
            _ => (RunState.Training, ""),
        };
        return new RunProtocol.Status(Id, Name, state, reason, _state!.State?.StepsDone ?? Settings.Initial.StepsDone, [.. _events.Where(e => e.Number > number).Take(256)]);
    }

    public void Dispose()
    {
        _metrics?.Dispose();
        _notes.Dispose();
    }

    private static string NotFiniteReason(TrainingOutcome.NotFinite bad) =>
        $"Training: in step {bad.Step} the {(bad.Tensor is "loss" or "gradient norm" ? bad.Tensor : $"gradient of {bad.Tensor}")} is not finite. Nothing of the step was applied. "
        + "Lower learning_rate, or go on without such steps with abort_on_nan_loss=false and abort_on_inf_loss=false.";

    private static MetricsFile? MetricsOf(RunSettings settings)
    {
        if (settings.Metrics is not { } path) return null;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new MetricsFile(path);
    }

    private void Tell(RunProtocol.Step? step, string text, RunProtocol.Evaluation? evaluation)
    {
        _events.Enqueue(new RunProtocol.Event(++_number, step, text, evaluation));
        if (_events.Count > MostEvents) _events.Dequeue();
    }
}
