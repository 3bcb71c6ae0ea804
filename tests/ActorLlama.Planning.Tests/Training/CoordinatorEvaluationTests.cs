using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Training.CoordinatorWorld;

namespace ActorLlama.Planning.Tests.Training;

public sealed class CoordinatorEvaluationTests
{
    [Fact]
    public void The_held_out_text_is_evaluated_batch_after_batch_between_two_steps()
    {
        var world = Made(1, settings => settings with { EvalInterval = 1, EvalBatches = 2 });
        Assert.All(world.Of<TrainingProtocol.Begin>().TakeLast(2), begin => Assert.Equal((0L, Start.StepsDone + 1), (begin.Message.Batch, begin.Message.State.StepsDone)));
        world.ReportHeldOut(3, batches: 5);
        Assert.Equal(1, world.Of<TrainingProtocol.Begin>().Last().Message.Batch);
        world.ReportHeldOut(4, batches: 5);
        Assert.Equal(new RunProtocol.Evaluation(0, 3.5, 4, 0, 0, 2.5), Assert.Single(world.Effects.OfType<CoordinatorEffect.Evaluated>()).Evaluation);
        Assert.Null(world.Of<TrainingProtocol.Begin>().Last().Message.Batch);
        Assert.Equal(1, world.Attempt.Step);
    }

    [Fact]
    public void A_checkpoint_comes_before_it_and_the_runs_end_behind_it()
    {
        var world = Made(5, settings => settings with { EvalInterval = 5, EnableCheckpointing = true, SaveOnStart = false, CheckpointPeriod = 100 });
        world.Snapshotted();
        world.Written();
        Assert.DoesNotContain(world.Effects, effect => effect is CoordinatorEffect.Evaluated);
        world.Step(new CoordinatorEvent.ManifestWritten(world.Save, "digest", "5"));
        world.ReportHeldOut(3, batches: 1);
        Assert.Equal(4, Assert.Single(world.Effects.OfType<CoordinatorEffect.Evaluated>()).Evaluation.Step);
        Assert.Equal(new TrainingOutcome.Completed(new StateId("init", 5, 5), Stopped: false), world.Outcome);
    }

    [Fact]
    public void A_batch_that_fails_is_tried_again_and_a_stop_ends_it()
    {
        var world = Made(1, settings => settings with { EvalInterval = 1 });
        var failed = Assert.IsType<CoordinatorPhase.Evaluating>(world.State.Phase).Attempt;
        world.Hear(new TrainingProtocol.Failed(1, Device(1), failed, "the lane ended"));
        world.Wait(6000, 1, 2);
        Assert.True(Assert.IsType<CoordinatorPhase.Evaluating>(world.State.Phase).Attempt.IsAfter(failed));
        world.Step(new CoordinatorEvent.StopRequested());
        world.ReportHeldOut(3, batches: 5);
        Assert.DoesNotContain(world.Effects, effect => effect is CoordinatorEffect.Evaluated);
        Assert.True(Assert.IsType<TrainingOutcome.Completed>(world.Outcome).Stopped);
    }

    [Fact]
    public void Where_nothing_is_held_out_the_run_goes_on()
    {
        var world = Made(1, settings => settings with { EvalInterval = 1 });
        world.ReportHeldOut(3, batches: 0);
        Assert.DoesNotContain(world.Effects, effect => effect is CoordinatorEffect.Evaluated);
        Assert.Equal(1, world.Attempt.Step);
    }

    /// <summary>A run that has made so many steps.</summary>
    private static CoordinatorWorld Made(int steps, Func<CoordinatorSettings, CoordinatorSettings> settings)
    {
        var world = new CoordinatorWorld(settings).Running();
        for (var step = 0; step < steps; step++)
        {
            world.Report();
            world.Apply();
            if (step > 0 || world.State.Phase is not CoordinatorPhase.Snapshotting) continue;
            world.Snapshotted();
            world.Written();
            world.Step(new CoordinatorEvent.ManifestWritten(world.Save, "first", "1"));
        }

        return world;
    }
}
