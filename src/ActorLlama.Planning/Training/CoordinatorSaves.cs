using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>How a coordinator gets a checkpoint: copies of one state from all owners, written while training goes on, and one manifest or none.</summary>
internal sealed partial class CoordinatorTurn
{
    private void BeginSave(bool isAwaited)
    {
        var here = State.State!.Value;
        State = State with
        {
            Save = new RunningTrainingSave(new TrainingSaveId(State.Epoch, NextNumber()), here, nowMs, isAwaited),
            SaveTriedAt = here.StepsDone,
        };
        Enter(new CoordinatorPhase.Snapshotting([]));
    }

    private void Snapshotted(DeviceId device)
    {
        if (State.Phase is not CoordinatorPhase.Snapshotting snapshotting) return;
        snapshotting = new CoordinatorPhase.Snapshotting(snapshotting.Done.Add(device));
        State = State with { Phase = snapshotting };
        if (snapshotting.Done.Count < State.Plan!.Devices.Length) return;
        if (State.Save!.IsAwaited) Enter(new CoordinatorPhase.Saving());
        else BeginNext();
    }

    private void Written(TrainingProtocol.Written written)
    {
        var save = State.Save!;
        if (save.IsManifestSent) return;
        save = save with { Written = save.Written.SetItem(written.Device, written) };
        if (save.Written.Count == State.Plan!.Devices.Length)
        {
            save = save with { IsManifestSent = true };
            Effects.Add(new CoordinatorEffect.WriteManifest(
                save.Id, save.State, State.Plan, save.Folder, [.. State.Plan.Devices.SelectMany(device => save.Written[device].Files)]));
        }

        State = State with { Save = save };
        Snapshotted(written.Device);
    }

    /// <summary>The checkpoint is there.</summary>
    private void EndSave(string digest, string folder)
    {
        var save = State.Save!;
        State = State with
        {
            Save = null,
            Checkpoints = State.Checkpoints.Add(new TrainingCheckpoint(save.State with { Origin = digest }, folder)),
        };
        TellAll(new TrainingProtocol.EndSave(State.Epoch, State.Plan!.Id, save.Id, digest));
        AfterSave();
    }

    /// <summary>There will be no such checkpoint; the run goes on without it.</summary>
    private void FailSave(string reason)
    {
        AbandonSave(reason);
        // Who waits for a checkpoint to be let in waits for the next time that devices come.
        State = State with { LeftOut = State.LeftOut.Union(State.Members.Select(member => member.Id).Except(State.Plan!.Devices)) };
        AfterSave();
    }

    private void AbandonSave(string reason)
    {
        if (State.Save is not { } save) return;
        State = State with { Save = null };
        TellAll(new TrainingProtocol.EndSave(State.Epoch, State.Plan!.Id, save.Id, null));
        Effects.Add(new CoordinatorEffect.AbandonSave(save.Id, save.Folder, reason));
    }

    private void AfterSave()
    {
        switch (State.Phase)
        {
            case CoordinatorPhase.Snapshotting or CoordinatorPhase.Saving: AtBoundary(); break;
            case CoordinatorPhase.Settling settling: Recover(settling.Reason); break;
        }
    }
}
