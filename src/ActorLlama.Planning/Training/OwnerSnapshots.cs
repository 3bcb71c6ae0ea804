using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>An owner's part in a checkpoint: a copy of one state, written while training goes on.</summary>
internal static class OwnerSnapshots
{
    public static OwnerState Take(OwnerState state, TrainingProtocol.Snapshot order, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Snapshot?.Save == order.Save) return Tell(state, effects);
        // A late one, of a save that is over.
        if (state.LastSave is { } last && (order.Save.Epoch, order.Save.Number).CompareTo((last.Epoch, last.Number)) <= 0) return state;
        if (state.State is not { } held || held != order.State || state.Attempt is { IsApplying: true })
            return OwnerRules.Tell(
                state,
                new TrainingProtocol.NotWritten(
                    state.Epoch, state.Device, order.Save, $"{state.Device} is {(state.State is { } other ? $"in state {other}" : "in no state")}, not {order.State}"),
                effects);
        state = Drop(state, effects) with { Snapshot = new OwnerSnapshot(order.Save, order.State), LastSave = order.Save };
        effects.Add(new OwnerEffect.TakeSnapshot(order.Save, order.State, state.Plan!, order.Folder));
        return Tell(state, effects);
    }

    /// <summary>How far the snapshot is.</summary>
    public static OwnerState Tell(OwnerState state, ImmutableArray<OwnerEffect>.Builder effects) => OwnerRules.Tell(
        state,
        state.Snapshot! switch
        {
            { Fault: { } fault } failed => new TrainingProtocol.NotWritten(state.Epoch, state.Device, failed.Save, fault),
            { Files: { } files } written => new TrainingProtocol.Written(state.Epoch, state.Device, written.Save, files),
            var taken => new TrainingProtocol.Snapshotted(state.Epoch, state.Device, taken.Save),
        },
        effects);

    public static OwnerState End(OwnerState state, TrainingProtocol.EndSave end, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Snapshot is not { } snapshot || snapshot.Save != end.Save) return state;
        return Drop(end.Digest is { } digest ? state with { Same = (digest, snapshot.State.StepsDone) } : state, effects);
    }

    public static OwnerState Drop(OwnerState state, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Snapshot is not { } snapshot) return state;
        effects.Add(new OwnerEffect.DropSnapshot(snapshot.Save));
        return state with { Snapshot = null };
    }
}
