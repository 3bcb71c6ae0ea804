using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>How a coordinator finds out what there is, and how everybody comes to one state.</summary>
internal sealed partial class CoordinatorTurn
{
    /// <summary>These devices there are now; how those are spoken of that there are no more.</summary>
    private void See(ImmutableArray<PlannedDevice> members, string how)
    {
        State = State with { Members = members, LeftOut = State.LeftOut.Intersect(members.Select(member => member.Id)) };
        switch (State.Phase)
        {
            case CoordinatorPhase.Asking asking:
                State = State with { Phase = new CoordinatorPhase.Asking([.. asking.Answers.Where(answer => IsMember(answer.Device))]) };
                Send();
                DecideWhenAllAnswered();
                break;
            case CoordinatorPhase.Waiting waiting: Recover(waiting.Reason); break;
            case CoordinatorPhase.Settling or CoordinatorPhase.Ended: break;
            case var _ when State.Plan!.Devices.Where(device => !IsMember(device)).ToList() is { Count: > 0 } lost:
                Recover($"{InWords(lost)} {how}");
                break;
        }
    }

    private bool IsMember(DeviceId device) => State.Members.Any(member => member.Id == device);

    private void DecideWhenAllAnswered()
    {
        if (State.Phase is not CoordinatorPhase.Asking { Answers: var answers } || State.Storage is not { } storage) return;
        var plan = answers.Select(answer => answer.Plan).OfType<TrainingPlan>().MaxBy(held => held.Id);
        if (answers.Length < State.Members.Length || (plan is null && State.Members.Length < Settings.MinDevices) || State.Members.IsEmpty) return;
        var owners = answers.Where(answer => answer.Plan?.Id == plan?.Id && plan is not null).ToImmutableArray();
        State = State with
        {
            Plan = plan,
            // A step that somebody here has not applied was not done in full.
            Reached = plan is null ? (storage.WasBegun ? long.MaxValue : 0) : owners.Min(owner => owner.State?.StepsDone ?? 0),
        };
        if (plan is null) Recover("the run begins");
        else if (plan.Devices.Except(owners.Where(owner => owner.State is not null).Select(owner => owner.Device)).ToList() is { Count: > 0 } without)
            Recover($"{InWords(without)} hold nothing of the run");
        else Resume(owners);
    }

    /// <summary>All owners of the plan are here with their state: they are at one step, or some have applied one more.</summary>
    private void Resume(ImmutableArray<TrainingProtocol.Held> owners)
    {
        var first = owners.MinBy(owner => owner.State!.Value.StepsDone)!.State!.Value;
        State = State with { State = first };
        if (owners.Select(owner => owner.Attempt).FirstOrDefault(held => held is { IsDecided: true } && held.Attempt.Step == first.StepsDone) is { } decided)
        {
            // Somebody was told to commit, so everybody had reported.
            var done = owners.Where(owner => owner.State!.Value.StepsDone > first.StepsDone).ToImmutableDictionary(owner => owner.Device, owner => owner.Attempt?.Weights ?? []);
            if (SumsOf(owners, decided) is { } sums) Enter(new CoordinatorPhase.Committing(decided.Attempt, decided.Factor, sums, done));
            else Recover($"{decided.Attempt} is decided, but not all have gradients of it");
        }
        else if (owners.Any(owner => owner.State != first))
            Recover($"their states differ: {string.Join(", ", owners.Select(owner => $"{owner.Device} in {owner.State}"))}");
        else
        {
            // All have applied, but perhaps nobody was told so.
            if (owners[0].Attempt is { IsApplied: true } applied && SumsOf(owners, applied) is { } known)
                Effects.Add(new CoordinatorEffect.StepDone(known.WithWeights(owners.SelectMany(owner => owner.Attempt!.Weights), Settings.Chunks)));
            AtBoundary();
        }
    }

    private StepSums? SumsOf(ImmutableArray<TrainingProtocol.Held> owners, TrainingProtocol.HeldAttempt attempt)
    {
        var reports = owners.Select(owner => owner.Attempt).Where(held => held?.Attempt == attempt.Attempt && held.Report is not null).Select(held => held!.Report!).ToList();
        return reports.Count == owners.Length ? Sum(attempt.Attempt, reports, Settings.Chunks) : null;
    }

    /// <summary>An owner does not hold its state.</summary>
    private void LoseState(TrainingProtocol.Lost lost)
    {
        if (lost.Damaged) State = State with { Checkpoints = [.. State.Checkpoints.Where(checkpoint => checkpoint.State.Origin != State.State!.Value.Origin)] };
        RecoverFromFault($"{lost.Device}: {lost.Reason}");
    }

    /// <summary>As <see cref="Recover"/>, though no device was lost: what fails again and again ends the run.</summary>
    private void RecoverFromFault(string reason)
    {
        State = State with { Faults = State.Faults + 1 };
        if (State.Faults >= Settings.MaxAttempts && Source() is not null)
            End(new TrainingOutcome.Failed($"Training: the state was lost or could not be loaded {State.Faults} times; last: {reason}."));
        else Recover(reason);
    }

    /// <summary>Everybody goes to the last state that is there in full, under a plan for the devices that there are.</summary>
    private void Recover(string reason)
    {
        if (State.Save is { IsManifestSent: true })
        {
            Enter(new CoordinatorPhase.Settling(reason));
            return;
        }

        AbandonSave(reason);
        if (Source() is not { } source)
        {
            End(new TrainingOutcome.NoCompleteState($"Training: {reason}, and no complete state is left: there is no checkpoint to go back to. Start the run again, with checkpoints."));
            return;
        }

        if (Refusal(out var plan) is { } refusal)
        {
            if (State.Phase is not CoordinatorPhase.Waiting) Enter(new CoordinatorPhase.Waiting($"{reason}. {refusal}"));
            return;
        }

        State = State with { Plan = plan, State = source.State, Reached = source.State.StepsDone, Failures = 0, SaveTriedAt = -1 };
        Effects.Add(new CoordinatorEffect.Planned(plan, source.State, reason));
        Enter(new CoordinatorPhase.Restoring(source.Folder, []));
    }

    /// <summary>
    /// The newest checkpoint; where there is none, what the run began with, as long as no step has been done in full or, with checkpoints, no more steps than lie between two
    /// of them: that is what a loss costs at most.
    /// </summary>
    private (StateId State, string? Folder)? Source() =>
        State.Checkpoints.MaxBy(checkpoint => checkpoint.State.StepsDone) is { } newest ? (newest.State, newest.Folder)
        : State.Reached - Settings.Initial.StepsDone <= (Settings.EnableCheckpointing ? Settings.CheckpointPeriod : 0) ? (Settings.Initial, null)
        : null;

    /// <summary>Why the devices that there are cannot go on, or null and their plan.</summary>
    private string? Refusal(out TrainingPlan plan)
    {
        plan = TrainingPlanOf(out var refused)!;
        return Settings.WaitForReplacement && State.Plan is { } before && State.Members.Length < before.Devices.Length
            ? $"{State.Members.Length} of {before.Devices.Length} devices are left; the run waits for a replacement."
            : refused;
    }

    private TrainingPlan? TrainingPlanOf(out string? refused)
    {
        switch (TrainingPlanRules.Plan(Settings.Shape, State.Members, Settings.PlanOptions, State.Plan, new TrainingPlanId(State.Epoch, NextNumber())))
        {
            case TrainingPlanResult.Planned planned:
                refused = null;
                return planned.Plan;
            case TrainingPlanResult.Refused { Reason: var reason }:
                refused = reason;
                return null;
            default: throw new InvalidOperationException("Training: a plan is neither there nor refused.");
        }
    }

    private void Restored(DeviceId device)
    {
        var restoring = (CoordinatorPhase.Restoring)State.Phase;
        restoring = restoring with { Done = restoring.Done.Add(device) };
        State = State with { Phase = restoring };
        if (restoring.Done.Count < State.Plan!.Devices.Length) return;
        AtBoundary();
    }
}
