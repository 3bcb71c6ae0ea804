using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>An owner's part in one attempt at a step.</summary>
internal static class OwnerAttempts
{
    public static OwnerState Begin(OwnerState state, TrainingProtocol.Begin begin, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.State is not { } held) return OwnerRules.Lose(state, begin.Plan, "it holds no state", false, effects);
        if (begin.Attempt.Step < held.StepsDone) return state;
        if (begin.State != held) return OwnerRules.Lose(state, begin.Plan, $"it is in state {held}, not {begin.State}", false, effects);
        if (state.Attempt?.Id != begin.Attempt)
        {
            if (state.LastAttempt is { } last && !begin.Attempt.IsAfter(last)) return state;
            state = OwnerRules.Open(state, begin.Attempt, effects);
        }

        var attempt = state.Attempt!;
        if (attempt.Fault is { } fault) return OwnerRules.Tell(state, new TrainingProtocol.Failed(state.Epoch, state.Device, attempt.Id, fault), effects);
        if (attempt.Report is { } report) return OwnerRules.Tell(state, report with { Epoch = state.Epoch }, effects);
        OwnerRules.Tell(state, OwnerRules.Working(state), effects);
        if (attempt.IsBegun) return state;
        attempt = attempt with { IsBegun = true, Batch = begin.Batch };
        ImmutableArray<int> slots = [.. state.Plan!.SlotsOf(state.Device)];
        if (slots.IsEmpty) return Measure(state, attempt with { Losses = [] }, effects);
        effects.Add(new OwnerEffect.Compute(attempt.Id, held, slots, begin.Batch));
        return state with { Attempt = attempt };
    }

    public static OwnerState Take(OwnerState state, OwnerEvent.Contributed contributed, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (!OwnerRules.IsOpen(state, contributed.Attempt)) return Reject();
        var (ledger, add) = state.Attempt!.Ledger.Take(contributed.Part, contributed.Slot);
        if (add is not { } slots) return Reject();
        if (slots.Length > 0) effects.Add(new OwnerEffect.Add(contributed.Attempt, contributed.Part, slots));
        return Measure(state, state.Attempt with { Ledger = ledger }, effects);

        OwnerState Reject()
        {
            effects.Add(new OwnerEffect.Reject(contributed.Attempt, contributed.Part, contributed.Slot));
            return state;
        }
    }

    /// <summary>Measures once all is there: the own slots' losses and all slots' gradients. Of a batch of the held-out text there are no gradients.</summary>
    public static OwnerState Measure(OwnerState state, OwnerAttempt attempt, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (attempt is { Losses: not null, Batch: not null }) return Report(state with { Attempt = attempt }, new OwnerEvent.Measured(attempt.Id, [], null), effects);
        if (attempt is { Losses: not null, Ledger.IsComplete: true, IsMeasuring: false })
        {
            attempt = attempt with { IsMeasuring = true };
            effects.Add(new OwnerEffect.Measure(attempt.Id));
        }

        return state with { Attempt = attempt };
    }

    public static OwnerState Report(OwnerState state, OwnerEvent.Measured measured, ImmutableArray<OwnerEffect>.Builder effects)
    {
        var report = new TrainingProtocol.Report(state.Epoch, state.Device, measured.Attempt, state.Attempt!.Losses!.Value, measured.Norms, measured.NotFinite, state.Attempt.ExpertRows, state.Attempt.Micros, state.Attempt.HeldOut);
        return OwnerRules.Tell(state with { Attempt = state.Attempt with { Report = report } }, report, effects);
    }

    /// <summary>What it had is dropped at once; that it failed is remembered until the attempt is over.</summary>
    public static OwnerState Fail(OwnerState state, string reason, ImmutableArray<OwnerEffect>.Builder effects)
    {
        var attempt = state.Attempt!;
        effects.Add(new OwnerEffect.Drop(attempt.Id));
        return OwnerRules.Tell(
            state with { Attempt = attempt with { Fault = reason, Report = null } }, new TrainingProtocol.Failed(state.Epoch, state.Device, attempt.Id, reason), effects);
    }

    public static OwnerState Commit(OwnerState state, TrainingProtocol.Commit commit, ImmutableArray<OwnerEffect>.Builder effects)
    {
        if (state.State is not { } held) return OwnerRules.Lose(state, commit.Plan, "it holds no state", false, effects);
        if (commit.Attempt.Step < held.StepsDone) return OwnerRules.Tell(state, new TrainingProtocol.Applied(state.Epoch, state.Device, commit.Attempt, state.Attempt is { IsApplied: true } last && last.Id == commit.Attempt ? last.Weights : []), effects);
        if (state.Attempt is not { Report: not null } attempt || attempt.Id != commit.Attempt)
            return OwnerRules.Lose(state, commit.Plan, $"it has no gradients of {commit.Attempt}", false, effects);
        OwnerRules.Tell(state, OwnerRules.Working(state), effects);
        if (attempt.IsDecided) return state;
        effects.Add(new OwnerEffect.Apply(attempt.Id, commit.Factor, Next(held, commit.Factor).Updates));
        return state with { Attempt = attempt with { IsDecided = true, Factor = commit.Factor } };
    }

    public static OwnerState EndApply(OwnerState state, ImmutableArray<TrainingProtocol.ChunkNorm> weights, ImmutableArray<OwnerEffect>.Builder effects)
    {
        var attempt = state.Attempt!;
        return OwnerRules.Tell(
            state with { State = Next(state.State!.Value, attempt.Factor), Attempt = attempt with { IsApplied = true, Weights = weights } },
            new TrainingProtocol.Applied(state.Epoch, state.Device, attempt.Id, weights), effects);
    }

    /// <summary>The state after a step: a skipped one counts, but updates nothing.</summary>
    public static StateId Next(StateId state, double? factor) =>
        state with { StepsDone = state.StepsDone + 1, Updates = state.Updates + (factor is null ? 0 : 1) };
}
