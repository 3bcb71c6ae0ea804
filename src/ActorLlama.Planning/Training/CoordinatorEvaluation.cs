using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>How a coordinator gets the held-out text evaluated between two steps: batch after batch, each an attempt that is never committed.</summary>
internal sealed partial class CoordinatorTurn
{
    /// <summary>Once after each step that it is due after; whoever takes over, or comes back to the step, does it again.</summary>
    private bool IsEvaluationDue => State.State!.Value.StepsDone is var done && Settings.EvalInterval > 0 && done > Settings.Initial.StepsDone && done % Settings.EvalInterval == 0
        && State.EvaluatedAt != done && !State.IsStopping;

    /// <summary>No checkpoint is to be made before it.</summary>
    private void BeginNext()
    {
        if (IsEvaluationDue) Evaluate(0, EvaluationSums.None);
        else BeginAttempt();
    }

    private void Evaluate(long batch, EvaluationSums sums) => Enter(new CoordinatorPhase.Evaluating(
        new AttemptId(State.State!.Value.StepsDone, State.Epoch, NextNumber()), batch, ImmutableDictionary<DeviceId, TrainingProtocol.Report>.Empty, sums));

    private void Evaluated(CoordinatorPhase.Evaluating evaluating, TrainingProtocol.Report report)
    {
        evaluating = evaluating with { Reports = evaluating.Reports.SetItem(report.Device, report) };
        State = State with { Phase = evaluating };
        if (evaluating.Reports.Count < State.Plan!.Devices.Length) return;
        State = State with { Failures = 0 };
        var heldOut = evaluating.Reports.Values.Select(told => told.HeldOut).First(told => told is not null)!;
        if (heldOut.Batches > 0 && !State.IsStopping)
        {
            var batch = Sum(evaluating.Attempt, evaluating.Reports.Values, chunks: 0);
            var sums = evaluating.Sums.With(batch.LmLoss, batch.ZLoss / Math.Max(1, batch.Tokens), batch.LoadBalance, batch.Tokens);
            if (sums.Batches < EvaluationSums.BatchesOf(Settings.EvalBatches, heldOut.Batches))
            {
                Evaluate(evaluating.Batch + 1, sums);
                return;
            }

            Effects.Add(new CoordinatorEffect.Evaluated(sums.After(evaluating.Attempt.Step - 1, heldOut.BytesPerToken)));
        }

        State = State with { EvaluatedAt = evaluating.Attempt.Step };
        AtBoundary();
    }
}
