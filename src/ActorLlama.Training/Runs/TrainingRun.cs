using ActorLlama.Checkpoints;
using ActorLlama.Planning.Training;
using ActorLlama.Training.Data;
using ActorLlama.Training.Reports;

namespace ActorLlama.Training.Runs;

/// <summary>The course of a run on one device: steps one after the other, and between them evaluations and checkpoints. For one thread.</summary>
/// <param name="trainer">Makes the steps.</param>
/// <param name="data">What it learns from.</param>
/// <param name="options">When it saves, evaluates itself and stops.</param>
/// <param name="observer">Told how it goes.</param>
/// <param name="time">Measures steps.</param>
public sealed class TrainingRun(LocalTrainer trainer, DataSet data, RunOptions options, IRunObserver observer, TimeProvider time)
{
    private RunCadence Cadence => options.Cadence;

    /// <summary>
    /// Makes the steps from <paramref name="first"/> on. When it is asked to end it ends after the step it is in, and saves that step if the run has checkpoints.
    /// </summary>
    /// <param name="first">0, or the one behind that of the checkpoint the trainer started from.</param>
    /// <param name="saver">Writes checkpoints; null for a run that has none.</param>
    /// <param name="end">Asks it to end.</param>
    /// <returns>The step to go on with; <see cref="RunCadence.Steps"/> when all are made.</returns>
    /// <exception cref="InvalidDataException">Loss or gradients are not finite and the run is to stop then, or a checkpoint cannot be written.</exception>
    public long Run(long first, CheckpointSaver? saver, CancellationToken end)
    {
        for (var step = first; step < Cadence.Steps; step++)
        {
            if (end.IsCancellationRequested) return step;
            var began = time.GetTimestamp();
            var result = trainer.Step(data.Training.Batch(step));
            if (result.NotFinite is { } what) RefuseOrSkip(step, what, result.Loss);
            else observer.Stepped(StepReport.Of(step, time.GetElapsedTime(began).TotalSeconds, result), [.. result.Batch.ExpertTokens.SelectMany(layer => layer)]);
            if (saver is not null && (Cadence.SavesAfter(step) || end.IsCancellationRequested))
            {
                observer.Saving(step);
                saver.Save(StateAfter(step));
            }
            if (Cadence.EvaluatesAfter(step) && data.HeldOut is { } heldOut && Evaluate(step, heldOut, end) is { } evaluation) observer.Evaluated(evaluation);
        }
        return Cadence.Steps;
    }

    private void RefuseOrSkip(long step, string what, double loss)
    {
        var found = what == "loss" ? $"the loss is {loss}" : $"the gradient of {what} is not finite";
        if (!options.NotFinite.Stops(loss))
        {
            observer.Skipped(step, found);
            return;
        }
        throw new InvalidDataException(
            $"Training: in step {step} {found}. Nothing of the step was applied. Lower learning_rate, or go on without such steps with abort_on_nan_loss=false and abort_on_inf_loss=false.");
    }

    private TrainedState StateAfter(long step) => new()
    {
        ConfigJson = options.ConfigJson,
        Step = step,
        Weights = [.. trainer.Parameters.Select(parameter => parameter.Data)],
        Optimizer = [.. trainer.Moments.Select(moment => moment.Data)],
        Record = new RunRecord(trainer.Updates, options.DataFlags) { Slots = options.Slots }.ToJson(),
        Files = options.Files,
    };

    /// <summary>Null when the run is asked to end meanwhile: a part of an evaluation says nothing.</summary>
    private EvalReport? Evaluate(long step, TextData heldOut, CancellationToken end)
    {
        var sums = EvaluationSums.None;
        while (sums.Batches < EvaluationSums.BatchesOf(options.EvalSteps, heldOut.StepsPerEpoch))
        {
            if (end.IsCancellationRequested) return null;
            var loss = trainer.Evaluate(heldOut.Batch(sums.Batches));
            sums = sums.With(loss.LmLoss, loss.ZLoss, loss.LoadBalance, loss.TotalWeights);
        }
        return EvalReport.Of(sums.After(step, heldOut.Text.BytesPerTarget));
    }
}
