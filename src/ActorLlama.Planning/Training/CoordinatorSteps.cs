using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>How a coordinator gets a step done.</summary>
internal sealed partial class CoordinatorTurn
{
    /// <summary>All owners are in one state, and no attempt is on its way: what comes next?</summary>
    private void AtBoundary()
    {
        var here = State.State!.Value;
        var isOver = here.StepsDone >= Settings.Steps || State.IsStopping;
        var isSaved = State.Checkpoints.Any(checkpoint => checkpoint.State.StepsDone == here.StepsDone);
        var maySave = Settings.EnableCheckpointing && !isSaved && State.SaveTriedAt != here.StepsDone;
        var joins = !isOver && Settings.EnableCheckpointing && HasJoined();
        if (isOver ? Settings.SaveOnCompletion && maySave : (joins || IsDue(here)) && maySave)
        {
            if (State.Save is null) BeginSave(isAwaited: isOver || joins || !Settings.AsyncCheckpointing);
            else Enter(new CoordinatorPhase.Saving());
        }
        else if (IsEvaluationDue) BeginNext();
        else if (isOver && State.Save is not null) Enter(new CoordinatorPhase.Saving());
        else if (isOver && Settings is { SaveOnCompletion: true, EnableCheckpointing: true } && !isSaved)
            End(new TrainingOutcome.Failed($"Training: {here.StepsDone} steps are done, but their checkpoint could not be written."));
        else if (isOver) End(new TrainingOutcome.Completed(here, here.StepsDone < Settings.Steps));
        else if (joins && isSaved) Recover("devices have joined");
        else BeginAttempt();
    }

    private bool IsDue(StateId here) =>
        here.StepsDone == Settings.Initial.StepsDone ? Settings.SaveOnStart : (here.StepsDone - 1) % Settings.CheckpointPeriod == 0;

    /// <summary>Whether there are devices outside the plan that a plan would let in.</summary>
    private bool HasJoined()
    {
        var outside = State.Members.Select(member => member.Id).Except(State.Plan!.Devices).Except(State.LeftOut).ToList();
        if (outside.Count == 0) return false;
        if (TrainingPlanOf(out _) is not null) return true;
        State = State with { LeftOut = State.LeftOut.Union(outside) };
        return false;
    }

    private void BeginAttempt()
    {
        if (State.Storage is { WasBegun: false } storage)
        {
            State = State with { Storage = storage with { WasBegun = true } };
            Effects.Add(new CoordinatorEffect.MarkBegun());
        }

        Enter(new CoordinatorPhase.Running(
            new AttemptId(State.State!.Value.StepsDone, State.Epoch, NextNumber()), ImmutableDictionary<DeviceId, TrainingProtocol.Report>.Empty));
    }

    private void Report(CoordinatorPhase.Running running, TrainingProtocol.Report report)
    {
        running = running with { Reports = running.Reports.SetItem(report.Device, report) };
        State = State with { Phase = running };
        if (running.Reports.Count < State.Plan!.Devices.Length) return;
        var sums = Sum(running.Attempt, running.Reports.Values, Settings.Chunks);
        if (sums.NotFinite is { } tensor && Settings.NotFinite.Stops(sums.Loss))
        {
            TellAll(new TrainingProtocol.Abort(State.Epoch, State.Plan.Id, running.Attempt));
            End(new TrainingOutcome.NotFinite(sums.Step, tensor));
        }
        else Enter(new CoordinatorPhase.Committing(running.Attempt, sums.Factor, sums, ImmutableDictionary<DeviceId, ImmutableArray<TrainingProtocol.ChunkNorm>>.Empty));
    }

    private StepSums Sum(AttemptId attempt, IEnumerable<TrainingProtocol.Report> reports, int chunks) =>
        StepSums.Of(attempt.Step, reports, State.Plan!.Slots.Length, chunks, Settings.ClipNorm);

    private void FailLate(AttemptId attempt, ImmutableDictionary<DeviceId, TrainingProtocol.Report> reports) =>
        FailAttempt(attempt, $"after {Settings.StepDeadlineMs} ms these had not reported: {InWords(State.Plan!.Devices.Where(device => !reports.ContainsKey(device)))}");

    private void FailAttempt(AttemptId attempt, string reason)
    {
        Effects.Add(new CoordinatorEffect.AttemptFailed(attempt, reason));
        TellAll(new TrainingProtocol.Abort(State.Epoch, State.Plan!.Id, attempt));
        State = State with { Failures = State.Failures + 1 };
        if (State.Failures >= Settings.MaxAttempts)
            End(new TrainingOutcome.Failed($"Training: step {attempt.Step} failed in {State.Failures} attempts; last: {reason}."));
        else Enter(new CoordinatorPhase.Pausing(nowMs + Settings.BackOff.DelayMs(State.Failures - 1, random)));
    }

    private void Applied(CoordinatorPhase.Committing committing, TrainingProtocol.Applied applied)
    {
        committing = committing with { Done = committing.Done.SetItem(applied.Device, applied.Weights) };
        State = State with { Phase = committing };
        if (committing.Done.Count < State.Plan!.Devices.Length) return;
        var done = OwnerAttempts.Next(State.State!.Value, committing.Factor);
        State = State with
        {
            State = done,
            Reached = done.StepsDone,
            Failures = 0,
            Faults = done.StepsDone > State.Furthest ? 0 : State.Faults,
            Furthest = Math.Max(State.Furthest, done.StepsDone),
        };
        Effects.Add(new CoordinatorEffect.StepDone(committing.Sums.WithWeights(committing.Done.Values.SelectMany(norms => norms), Settings.Chunks)));
        TellAll(new TrainingProtocol.AllCommitted(State.Epoch, State.Plan.Id, committing.Attempt));
        AtBoundary();
    }
}
