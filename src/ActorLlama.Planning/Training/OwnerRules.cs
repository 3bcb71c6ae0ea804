using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// What an owner does with what it is told. It applies an attempt only after it has reported it, once, and remembers that it did until all have; it obeys no coordinator
/// and no plan lower than the highest it has heard of. Whatever message comes again is answered again.
/// </summary>
public static class OwnerRules
{
    /// <summary>The next state, and what to do now. Throws <see cref="InvalidOperationException"/> when a coordinator contradicts itself.</summary>
    public static (OwnerState State, ImmutableArray<OwnerEffect> Effects) Step(OwnerState state, OwnerEvent happened)
    {
        var effects = ImmutableArray.CreateBuilder<OwnerEffect>();
        var next = happened switch
        {
            OwnerEvent.Told told => Obey(state, told.Message, effects),
            OwnerEvent.Loaded loaded when state.Loading is { } loading && loaded.Plan == state.Plan?.Id => EndLoad(state, loading, effects),
            OwnerEvent.LoadFailed failed when state.Loading is not null && failed.Plan == state.Plan?.Id =>
                Lose(state with { Loading = null }, failed.Plan, failed.Reason, failed.Damaged, effects),
            OwnerEvent.Called called when Admit(state, called.Attempt, null) is Admission.Adopt => Open(state, called.Attempt, effects),
            OwnerEvent.Contributed contributed => OwnerAttempts.Take(state, contributed, effects),
            OwnerEvent.Computed computed when IsOpen(state, computed.Attempt) => OwnerAttempts.Measure(
                state, state.Attempt! with { Losses = computed.Losses, ExpertRows = computed.ExpertRows, Micros = computed.Micros, HeldOut = computed.HeldOut }, effects),
            OwnerEvent.Measured measured when IsOpen(state, measured.Attempt) => OwnerAttempts.Report(state, measured, effects),
            // Once it has reported, nothing of the attempt is on its way here.
            OwnerEvent.AttemptFailed failed when IsOpen(state, failed.Attempt) && state.Attempt!.Report is null => OwnerAttempts.Fail(state, failed.Reason, effects),
            OwnerEvent.Applied applied when IsApplying(state, applied.Attempt) => OwnerAttempts.EndApply(state, applied.Weights, effects),
            OwnerEvent.ApplyFailed failed when IsApplying(state, failed.Attempt) =>
                Lose(DropAttempt(state, effects) with { State = null, Same = null }, state.Plan!.Id, failed.Reason, false, effects),
            OwnerEvent.Written written when state.Snapshot is { } snapshot && snapshot.Save == written.Save =>
                OwnerSnapshots.Tell(state with { Snapshot = snapshot with { Files = written.Files } }, effects),
            OwnerEvent.WriteFailed failed when state.Snapshot is { } snapshot && snapshot.Save == failed.Save =>
                OwnerSnapshots.Tell(state with { Snapshot = snapshot with { Fault = failed.Reason } }, effects),
            _ => state,
        };
        return (next, effects.ToImmutable());
    }

    /// <summary>Whether a call of an attempt is served. <paramref name="read"/>: the state that it wants to read weights in; null when it reads none.</summary>
    public static Admission Admit(OwnerState state, AttemptId attempt, StateId? read)
    {
        if (state.State is not { } held) return new Admission.Refused(ExchangeRefusal.NoState, $"{attempt}: {state.Device} holds no state.");
        if (attempt.Epoch < state.Epoch) return new Admission.Refused(ExchangeRefusal.Stale, $"{attempt}: a coordinator of epoch {state.Epoch} has been heard.");
        if (attempt.Step != held.StepsDone || (read is { } wanted && wanted != held))
            return new Admission.Refused(ExchangeRefusal.OtherState, $"{attempt}: {state.Device} is in state {held}{(read is { } r ? $", not {r}" : "")}.");
        if (state.Attempt is { } current && current.Id == attempt)
            return current.Fault is { } fault ? new Admission.Refused(ExchangeRefusal.Failed, fault)
                : current.IsDecided ? new Admission.Refused(ExchangeRefusal.Stale, $"{attempt}: it is decided.")
                : new Admission.Accept();
        return state.LastAttempt is { } last && !attempt.IsAfter(last)
            ? new Admission.Refused(ExchangeRefusal.Stale, $"{attempt}: it is over, as is all up to {last}.")
            : new Admission.Adopt();
    }

    private static OwnerState Obey(OwnerState state, IClusterMessage message, ImmutableArray<OwnerEffect>.Builder effects)
    {
        var (epoch, plan) = OwnerOrders.Of(message);
        if (epoch < state.Epoch || (message is TrainingProtocol.Ask other && epoch == state.Epoch && other.Coordinator != state.Coordinator))
        {
            effects.Add(new OwnerEffect.Tell(new TrainingProtocol.Fenced(state.Epoch, state.Device)));
            return state;
        }

        // What another coordinator began to save is over.
        if (epoch > state.Epoch) state = OwnerSnapshots.Drop(state with { Epoch = epoch, Coordinator = (message as TrainingProtocol.Ask)?.Coordinator }, effects);
        if (message is TrainingProtocol.Restore restore) return Restore(state, restore, effects);
        if (plan is { } meant && meant != state.Plan?.Id) return OfOtherPlan(state, message, meant, effects);
        return message switch
        {
            TrainingProtocol.Ask => Tell(state, new TrainingProtocol.Held(state.Epoch, state.Device, state.Plan, state.State, state.Attempt?.Held), effects),
            TrainingProtocol.Begin begin => OwnerAttempts.Begin(state, begin, effects),
            TrainingProtocol.Commit commit => OwnerAttempts.Commit(state, commit, effects),
            TrainingProtocol.Abort abort when IsOpen(state, abort.Attempt) || state.Attempt?.Id == abort.Attempt && state.Attempt.Fault is not null => DropAttempt(state, effects),
            TrainingProtocol.AllCommitted all when state.Attempt is { IsApplied: true } attempt && attempt.Id == all.Attempt => DropAttempt(state, effects),
            TrainingProtocol.Snapshot snapshot => OwnerSnapshots.Take(state, snapshot, effects),
            TrainingProtocol.EndSave end => OwnerSnapshots.End(state, end, effects),
            TrainingProtocol.End => End(state, effects),
            _ => state,
        };
    }

    /// <summary>Late words about a plan before this one are nothing; about a later one they show that its state was here and is not any more.</summary>
    private static OwnerState OfOtherPlan(OwnerState state, IClusterMessage message, TrainingPlanId plan, ImmutableArray<OwnerEffect>.Builder effects) =>
        (state.Plan is null || plan > state.Plan.Id) && message is TrainingProtocol.Begin or TrainingProtocol.Commit or TrainingProtocol.Snapshot
            ? Lose(state, plan, $"it holds {(state.Plan is null ? "no plan" : $"plan {state.Plan.Id}")}", false, effects)
            : state;

    private static OwnerState Restore(OwnerState state, TrainingProtocol.Restore restore, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Plan is { } plan && restore.Plan.Id < plan.Id) return state;
        if (restore.Plan.Id == state.Plan?.Id && state.State is not null) return Tell(state, Restored(state), effects);
        if (restore.Plan.Id == state.Plan?.Id && state.Loading is not null) return Tell(state, Working(state), effects);
        var wanted = restore.State;
        var keep = state.State is { } held && held.StepsDone == wanted.StepsDone && state.Attempt is not { IsApplying: true }
            && (held == wanted || state.Same == (wanted.Origin, wanted.StepsDone));
        state = OwnerSnapshots.Drop(DropAttempt(state, effects), effects) with
        {
            Plan = restore.Plan,
            State = null,
            Loading = wanted,
        };
        effects.Add(new OwnerEffect.Load(restore.Plan, wanted, restore.Folder, keep));
        return Tell(state, Working(state), effects);
    }

    private static OwnerState EndLoad(OwnerState state, StateId loaded, ImmutableArray<OwnerEffect>.Builder effects)
    {
        state = state with { State = loaded, Loading = null, Same = (loaded.Origin, loaded.StepsDone) };
        return Tell(state, Restored(state), effects);
    }

    private static OwnerState End(OwnerState state, ImmutableArray<OwnerEffect>.Builder effects)
    {
        state = OwnerSnapshots.Drop(DropAttempt(state, effects), effects);
        if (state.Plan is not null) effects.Add(new OwnerEffect.Unload());
        return state with { Plan = null, State = null, Loading = null, Same = null };
    }

    internal static OwnerState Open(OwnerState state, AttemptId attempt, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Attempt is { IsApplying: true } applying)
            throw new InvalidOperationException($"Training: {state.Device} is to begin {attempt} while it applies {applying.Id}.");
        state = DropAttempt(state, effects);
        effects.Add(new OwnerEffect.Open(attempt, state.State!.Value));
        return state with { Attempt = new OwnerAttempt(attempt, GradientLedger.Of(state.Plan!.Slots.Length, state.GradientParts)), LastAttempt = attempt };
    }

    internal static OwnerState Lose(OwnerState state, TrainingPlanId plan, string reason, bool damaged, ImmutableArray<OwnerEffect>.Builder effects) =>
        Tell(state, new TrainingProtocol.Lost(state.Epoch, state.Device, plan, reason, damaged), effects);

    internal static OwnerState DropAttempt(OwnerState state, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.Attempt is not { } attempt) return state;
        effects.Add(new OwnerEffect.Drop(attempt.Id));
        return state with { Attempt = null };
    }

    internal static OwnerState Tell(OwnerState state, IClusterMessage message, ImmutableArray<OwnerEffect>.Builder effects)
    {
        effects.Add(new OwnerEffect.Tell(message));
        return state;
    }

    internal static TrainingProtocol.Working Working(OwnerState state) => new(state.Epoch, state.Device, state.Plan!.Id);

    private static TrainingProtocol.Restored Restored(OwnerState state) => new(state.Epoch, state.Device, state.Plan!.Id);

    /// <summary>The attempt is on its way here: neither failed nor decided.</summary>
    internal static bool IsOpen(OwnerState state, AttemptId attempt) => state.Attempt is { Fault: null, IsDecided: false } current && current.Id == attempt;

    private static bool IsApplying(OwnerState state, AttemptId attempt) => state.Attempt is { IsApplying: true } current && current.Id == attempt;
}
