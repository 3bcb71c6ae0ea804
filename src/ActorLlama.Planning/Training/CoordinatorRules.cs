using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// How a run goes from step to step, whatever dies. A step is decided once all owners have reported and is over once all have applied; only then the next begins. So
/// owners are never more than one step apart, and whoever coordinates next can tell from what they hold whether a step was decided. Owners whose state is lost are replaced by
/// everybody's going back to the last checkpoint that is there in full.
/// </summary>
public static class CoordinatorRules
{
    /// <summary>
    /// A coordinator that knows nothing: it asks. <paramref name="name"/>: no other has it. <paramref name="epoch"/>: at least 1, and above that of every coordinator before
    /// it as far as is known; owners who know better say so.
    /// </summary>
    public static (CoordinatorState State, ImmutableArray<CoordinatorEffect> Effects) Begin(CoordinatorSettings settings, string name, long epoch, long nowMs) =>
        (new CoordinatorState(settings, name, epoch) { PhaseMs = nowMs, SentMs = nowMs }, [new CoordinatorEffect.ReadStorage(epoch)]);

    /// <summary>The next state, and what to do now.</summary>
    public static (CoordinatorState State, ImmutableArray<CoordinatorEffect> Effects) Step(
        CoordinatorState state, CoordinatorEvent happened, long nowMs, Random random)
    {
        var turn = new CoordinatorTurn(state, nowMs, random);
        turn.Happen(happened);
        return (turn.State, turn.Effects.ToImmutable());
    }
}

/// <summary>One event of a coordinator: what it changes and what it asks for.</summary>
internal sealed partial class CoordinatorTurn(CoordinatorState state, long nowMs, Random random)
{
    public CoordinatorState State { get; private set; } = state;

    public ImmutableArray<CoordinatorEffect>.Builder Effects { get; } = ImmutableArray.CreateBuilder<CoordinatorEffect>();

    private CoordinatorSettings Settings => State.Settings;

    public void Happen(CoordinatorEvent happened)
    {
        switch (State.Phase, happened)
        {
            case (CoordinatorPhase.Ended { Outcome: not TrainingOutcome.StoodDown }, CoordinatorEvent.Heard heard) when SenderOf(heard.Message) is { } device:
                Tell(device, new TrainingProtocol.End(State.Epoch));
                break;
            case (CoordinatorPhase.Ended, _): break;
            case (_, CoordinatorEvent.Members members): See([.. members.Devices.Where(device => !State.Expelled.Contains(device.Id))], "left the cluster"); break;
            case (_, CoordinatorEvent.Heard heard): Hear(heard.Message); break;
            case (CoordinatorPhase.Asking, CoordinatorEvent.StorageRead read) when read.Epoch == State.Epoch:
                State = State with { Storage = read, Checkpoints = read.Checkpoints };
                DecideWhenAllAnswered();
                break;
            case (_, CoordinatorEvent.StorageFenced fenced): Yield(fenced.Epoch); break;
            case (_, CoordinatorEvent.ManifestWritten written) when State.Save?.Id == written.Save: EndSave(written.Digest, written.Folder); break;
            case (_, CoordinatorEvent.ManifestFailed failed) when State.Save?.Id == failed.Save: FailSave(failed.Reason); break;
            case (CoordinatorPhase.Waiting waiting, CoordinatorEvent.StopRequested): End(new TrainingOutcome.Failed($"Training: it was stopped while it waited. {waiting.Reason}")); break;
            case (_, CoordinatorEvent.StopRequested): State = State with { IsStopping = true }; break;
            case (_, CoordinatorEvent.Tick): Tick(); break;
        }
    }

    private void Hear(IClusterMessage message)
    {
        if (SenderOf(message) is not { } device || State.Members.All(member => member.Id != device)) return;
        State = State with { UnansweredMs = State.UnansweredMs.Remove(device) };
        switch (State.Phase, message)
        {
            case (_, TrainingProtocol.Fenced fenced): Yield(fenced.Epoch); break;
            case (CoordinatorPhase.Asking asking, TrainingProtocol.Held held) when held.Epoch == State.Epoch:
                State = State with { Phase = new CoordinatorPhase.Asking([.. asking.Answers.Where(answer => answer.Device != device), held]) };
                DecideWhenAllAnswered();
                break;
            case (CoordinatorPhase.Restoring, TrainingProtocol.Restored restored) when restored.Plan == State.Plan!.Id: Restored(device); break;
            case (not CoordinatorPhase.Asking, TrainingProtocol.Lost lost) when lost.Plan == State.Plan?.Id: LoseState(lost); break;
            case (CoordinatorPhase.Running running, TrainingProtocol.Report report) when report.Attempt == running.Attempt: Report(running, report); break;
            case (CoordinatorPhase.Running running, TrainingProtocol.Failed failed) when failed.Attempt == running.Attempt:
                FailAttempt(running.Attempt, $"{device}: {failed.Reason}");
                break;
            case (CoordinatorPhase.Evaluating evaluating, TrainingProtocol.Report report) when report.Attempt == evaluating.Attempt: Evaluated(evaluating, report); break;
            case (CoordinatorPhase.Evaluating evaluating, TrainingProtocol.Failed failed) when failed.Attempt == evaluating.Attempt:
                FailAttempt(evaluating.Attempt, $"{device}: {failed.Reason}");
                break;
            case (CoordinatorPhase.Committing committing, TrainingProtocol.Applied applied) when applied.Attempt == committing.Attempt: Applied(committing, applied); break;
            case (_, TrainingProtocol.Snapshotted snapshotted) when snapshotted.Save == State.Save?.Id: Snapshotted(device); break;
            case (_, TrainingProtocol.Written written) when written.Save == State.Save?.Id: Written(written); break;
            case (_, TrainingProtocol.NotWritten failed) when failed.Save == State.Save?.Id && State.Save is { IsManifestSent: false }:
                FailSave($"{device}: {failed.Reason}");
                break;
        }
    }

    private static DeviceId? SenderOf(IClusterMessage message) => message switch
    {
        TrainingProtocol.Held m => m.Device,
        TrainingProtocol.Fenced m => m.Device,
        TrainingProtocol.Restored m => m.Device,
        TrainingProtocol.Lost m => m.Device,
        TrainingProtocol.Working m => m.Device,
        TrainingProtocol.Report m => m.Device,
        TrainingProtocol.Failed m => m.Device,
        TrainingProtocol.Applied m => m.Device,
        TrainingProtocol.Snapshotted m => m.Device,
        TrainingProtocol.Written m => m.Device,
        TrainingProtocol.NotWritten m => m.Device,
        _ => null,
    };

    private void Tick()
    {
        var silent = State.Members.Select(member => member.Id)
            .FirstOrDefault(device => nowMs - State.UnansweredMs.GetValueOrDefault(device, nowMs) >= Settings.SilenceMs);
        if (silent != default)
        {
            var reason = $"was silent for {Settings.SilenceMs} ms";
            Effects.Add(new CoordinatorEffect.Expel(silent, reason));
            State = State with { Expelled = State.Expelled.Add(silent) };
            See([.. State.Members.Where(member => member.Id != silent)], reason);
            return;
        }

        if (State.Save is { IsManifestSent: false } save && nowMs - save.SinceMs >= Settings.SaveDeadlineMs)
            FailSave($"it was not written after {Settings.SaveDeadlineMs} ms");
        switch (State.Phase)
        {
            case CoordinatorPhase.Pausing pausing when nowMs >= pausing.UntilMs: BeginNext(); break;
            case CoordinatorPhase.Running running when IsPast(Settings.StepDeadlineMs): FailLate(running.Attempt, running.Reports); break;
            case CoordinatorPhase.Evaluating evaluating when IsPast(Settings.StepDeadlineMs): FailLate(evaluating.Attempt, evaluating.Reports); break;
            case CoordinatorPhase.Restoring restoring when IsPast(Settings.RestoreDeadlineMs):
                RecoverFromFault($"after {Settings.RestoreDeadlineMs} ms these had not loaded: {InWords(State.Plan!.Devices.Except(restoring.Done))}");
                break;
            case CoordinatorPhase.Waiting waiting when IsPast(Settings.ReplacementMs):
                End(new TrainingOutcome.Failed($"Training: {waiting.Reason} Nothing changed in {Settings.ReplacementMs} ms."));
                break;
            case not CoordinatorPhase.Ended when nowMs - State.SentMs >= Settings.ResendMs: Send(); break;
        }
    }

    private bool IsPast(int deadlineMs) => nowMs - State.PhaseMs >= deadlineMs;

    private void Enter(CoordinatorPhase phase)
    {
        State = State with { Phase = phase, PhaseMs = nowMs };
        // Nobody is asked for long now, so nobody's silence means anything.
        if (phase is CoordinatorPhase.Waiting or CoordinatorPhase.Settling or CoordinatorPhase.Saving) State = State with { UnansweredMs = State.UnansweredMs.Clear() };
        Send();
    }

    private void Send()
    {
        foreach (var (device, message) in Outstanding())
        {
            Tell(device, message);
            if (!State.UnansweredMs.ContainsKey(device)) State = State with { UnansweredMs = State.UnansweredMs.SetItem(device, nowMs) };
        }

        State = State with { SentMs = nowMs };
    }

    /// <summary>What has not been answered yet.</summary>
    private IEnumerable<(DeviceId Device, IClusterMessage Message)> Outstanding()
    {
        var plan = State.Plan;
        var phase = State.Phase switch
        {
            CoordinatorPhase.Asking asking => State.Members.Select(member => member.Id).Except(asking.Answers.Select(answer => answer.Device))
                .Select(device => (device, (IClusterMessage)new TrainingProtocol.Ask(State.Epoch, State.Name))),
            CoordinatorPhase.Restoring restoring => ToAllBut(restoring.Done.Contains, new TrainingProtocol.Restore(State.Epoch, plan!, State.State!.Value, restoring.Folder)),
            CoordinatorPhase.Running running =>
                ToAllBut(running.Reports.ContainsKey, new TrainingProtocol.Begin(State.Epoch, plan!.Id, running.Attempt, State.State!.Value, null)),
            CoordinatorPhase.Evaluating evaluating =>
                ToAllBut(evaluating.Reports.ContainsKey, new TrainingProtocol.Begin(State.Epoch, plan!.Id, evaluating.Attempt, State.State!.Value, evaluating.Batch)),
            CoordinatorPhase.Committing committing =>
                ToAllBut(committing.Done.ContainsKey, new TrainingProtocol.Commit(State.Epoch, plan!.Id, committing.Attempt, committing.Factor)),
            _ => [],
        };
        return State.Save is { IsManifestSent: false } save
            ? phase.Concat(ToAllBut(save.Written.ContainsKey, new TrainingProtocol.Snapshot(State.Epoch, plan!.Id, save.Id, save.State, save.Folder)))
            : phase;
    }

    private IEnumerable<(DeviceId Device, IClusterMessage Message)> ToAllBut(Func<DeviceId, bool> answered, IClusterMessage message) =>
        State.Plan!.Devices.Where(device => !answered(device)).Select(device => (device, message));

    private void Tell(DeviceId device, IClusterMessage message) => Effects.Add(new CoordinatorEffect.Tell(device, message));

    private void TellAll(IClusterMessage message)
    {
        foreach (var device in State.Plan!.Devices) Tell(device, message);
    }

    private long NextNumber()
    {
        State = State with { LastNumber = State.LastNumber + 1 };
        return State.LastNumber;
    }

    private static string InWords(IEnumerable<DeviceId> devices) => string.Join(", ", devices);

    /// <summary>Another coordinator has that epoch. Who has only asked so far asks again, above it; who has decided anything gives up, if it is a higher one.</summary>
    private void Yield(long epoch)
    {
        if (State.Phase is CoordinatorPhase.Asking)
        {
            if (epoch < State.Epoch) return;
            State = State with { Epoch = epoch + 1, Storage = null };
            Effects.Add(new CoordinatorEffect.ReadStorage(State.Epoch));
            Enter(new CoordinatorPhase.Asking([]));
        }
        else if (epoch > State.Epoch)
        {
            var outcome = new TrainingOutcome.StoodDown(epoch);
            State = State with { Phase = new CoordinatorPhase.Ended(outcome) };
            Effects.Add(new CoordinatorEffect.Ended(outcome));
        }
    }

    private void End(TrainingOutcome outcome)
    {
        if (State.Save is { IsManifestSent: false }) AbandonSave("the run ended");
        foreach (var member in State.Members) Tell(member.Id, new TrainingProtocol.End(State.Epoch));
        State = State with { Phase = new CoordinatorPhase.Ended(outcome) };
        Effects.Add(new CoordinatorEffect.Ended(outcome));
    }
}
