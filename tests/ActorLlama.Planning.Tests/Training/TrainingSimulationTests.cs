using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>
/// Whatever dies, a run comes to the end of an undisturbed one or to the one error. Set <c>ACTORLLAMA_TRAINING_RUNS</c> to try more seeds.
/// </summary>
public sealed class TrainingSimulationTests
{
    private const int DefaultRuns = 400;

    [Fact]
    public void Whatever_dies_a_run_ends_as_an_undisturbed_one_or_with_the_one_error()
    {
        var runs = int.TryParse(Environment.GetEnvironmentVariable("ACTORLLAMA_TRAINING_RUNS"), out var asked) ? asked : DefaultRuns;
        var (completed, lost) = (0, 0);
        var deaths = new HashSet<(string Who, Type Phase)>();
        for (var seed = 0; seed < runs; seed++)
        {
            var run = new SimulatedTraining(seed);
            run.Run(mostEvents: 200_000);
            switch (run.Outcome)
            {
                case TrainingOutcome.Completed ended:
                    completed++;
                    Ended(run, ended);
                    break;
                case TrainingOutcome.NoCompleteState none:
                    lost++;
                    run.Check(!run.Settings.EnableCheckpointing || run.Storage.HasDamage || run.Storage.Checkpoints == 0, none.Reason);
                    Assert.Contains("no complete state is left", none.Reason, StringComparison.Ordinal);
                    break;
                // The last checkpoint alone may fail: then the run says so.
                case TrainingOutcome.Failed failed when run.Settings.EnableCheckpointing && failed.Reason.Contains("checkpoint could not be written", StringComparison.Ordinal): break;
                default:
                    run.Check(false, $"{run.Outcome}");
                    break;
            }

            deaths.UnionWith(run.Deaths);
        }

        // The world is as hostile as it claims to be, and the rules survive most of it.
        Type[] phases =
        [
            typeof(CoordinatorPhase.Asking), typeof(CoordinatorPhase.Restoring), typeof(CoordinatorPhase.Running), typeof(CoordinatorPhase.Committing),
            typeof(CoordinatorPhase.Snapshotting), typeof(CoordinatorPhase.Saving), typeof(CoordinatorPhase.Evaluating),
        ];
        Assert.Superset(phases.SelectMany(phase => new[] { ("owner", phase), ("coordinator", phase) }).ToHashSet(), deaths);
        Assert.True(completed > runs * 3 / 4 && lost > 0, $"{completed} completed and {lost} lost of {runs}");
    }

    private static void Ended(SimulatedTraining run, TrainingOutcome.Completed ended)
    {
        Assert.False(ended.Stopped);
        run.Check(ended.State.StepsDone == run.Settings.Steps, $"{ended}");
        run.Check(ended.State.Updates == run.Settings.Steps - (run.Model.NotFiniteStep >= 0 ? 1 : 0), $"{ended}");
        run.Check(run.Losses.Keys.Order().SequenceEqual(Enumerable.Range(0, (int)run.Settings.Steps).Select(step => (long)step)), "a step's loss is missing");
        if (run.Settings.EnableCheckpointing) run.IsKnown(run.Settings.Steps, run.Storage.Newest(), "the last checkpoint");
        var due = Enumerable.Range(0, (int)run.Settings.Steps).Where(step => run.Settings.EvalInterval > 0 && (step + 1) % run.Settings.EvalInterval == 0).Select(step => (long)step);
        run.Check(run.Evaluations.Keys.Order().SequenceEqual(due), $"evaluated after [{string.Join(", ", run.Evaluations.Keys.Order())}]");
        if (!run.Model.IsDeterministic) return;
        var parts = run.Model.Initial;
        for (var step = 0L; step < run.Settings.Steps; step++)
        {
            (parts, var sums) = run.Model.Step(parts, new AttemptId(step, 0, 0), run.Settings);
            run.Check(run.Losses[step].Single().Equals(sums.Loss), $"step {step}: loss {run.Losses[step].Single()} instead of {sums.Loss}");
            if (!run.Evaluations.TryGetValue(step, out var evaluations)) continue;
            var heldOut = run.Model.HeldOutLoss(parts, (int)EvaluationSums.BatchesOf(run.Settings.EvalBatches, ToyModel.HeldOut));
            run.Check(Math.Abs(evaluations.Single() - heldOut) <= 1e-12 * heldOut, $"held-out loss after step {step}: {evaluations.Single()} instead of {heldOut}");
        }

        if (run.Settings.EnableCheckpointing) Sequences.Equal(parts, run.Storage.Newest());
    }
}
