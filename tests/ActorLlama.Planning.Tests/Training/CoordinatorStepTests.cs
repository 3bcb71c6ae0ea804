using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Training.CoordinatorWorld;

namespace ActorLlama.Planning.Tests.Training;

public sealed class CoordinatorStepTests
{
    [Fact]
    public void A_step_is_decided_when_all_have_reported_and_over_when_all_have_applied()
    {
        var world = new CoordinatorWorld().Running();
        Assert.Equal(2, world.Of<TrainingProtocol.Begin>().Count(b => b.Message.Attempt == world.Attempt && b.Message.State == Start));
        var attempt = world.Attempt;
        world.Hear(world.ReportOf(Device(1), attempt));
        Assert.Empty(world.Of<TrainingProtocol.Commit>());
        world.Hear(world.ReportOf(Device(2), attempt));
        // Four chunks of 4: the norm is 4, over two tokens 2, clipped to 1.
        Assert.All(world.Of<TrainingProtocol.Commit>(), commit => Assert.Equal(0.25, commit.Message.Factor));
        Assert.Equal(2, world.Of<TrainingProtocol.Commit>().Count());
        world.Hear(new TrainingProtocol.Applied(1, Device(1), attempt, []));
        world.Hear(new TrainingProtocol.Applied(1, Device(1), attempt, []));
        Assert.DoesNotContain(world.Effects, effect => effect is CoordinatorEffect.StepDone);
        world.Hear(new TrainingProtocol.Applied(1, Device(2), attempt, []));
        var sums = Assert.Single(world.Effects.OfType<CoordinatorEffect.StepDone>()).Sums;
        Assert.Equal((0, 2.0, 2.0), (sums.Step, sums.Loss, sums.RawNorm));
        Assert.Equal(2, world.Of<TrainingProtocol.AllCommitted>().Count());
        Assert.Equal((1, 2), (world.Attempt.Step, world.Of<TrainingProtocol.Begin>().Count(b => b.Message.State == new StateId("init", 1, 1))));
    }

    [Fact]
    public void After_the_last_step_the_run_is_over()
    {
        var world = new CoordinatorWorld().Running();
        for (var step = 0; step < 5; step++)
        {
            world.Report();
            world.Apply();
        }

        Assert.Equal(new TrainingOutcome.Completed(new StateId("init", 5, 5), false), world.Outcome);
        Assert.Equal(2, world.Of<TrainingProtocol.End>().Count());
    }

    [Fact]
    public void What_is_not_finite_ends_the_run_before_anything_is_applied()
    {
        var world = new CoordinatorWorld().Running();
        var attempt = world.Attempt;
        world.Hear(world.ReportOf(Device(1), attempt, bad: new(4, "layers.1.q_proj")));
        world.Hear(world.ReportOf(Device(2), attempt, bad: new(2, "layers.0.router")));
        Assert.Equal(new TrainingOutcome.NotFinite(0, "layers.0.router"), world.Outcome);
        Assert.Empty(world.Of<TrainingProtocol.Commit>());
        Assert.Equal(2, world.Of<TrainingProtocol.Abort>().Count());
    }

    [Fact]
    public void Or_skips_the_step_as_configured()
    {
        var world = new CoordinatorWorld(settings => settings with { NotFinite = new(StopsOnNaN: false, StopsOnInfinity: true) }).Running();
        world.Report(double.NaN);
        Assert.All(world.Of<TrainingProtocol.Commit>(), commit => Assert.Null(commit.Message.Factor));
        world.Apply();
        Assert.Equal(new StateId("init", 1, 0), world.State.State);
        Assert.Equal("loss", Assert.Single(world.Effects.OfType<CoordinatorEffect.StepDone>()).Sums.NotFinite);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Or_only_one_of_the_two_as_configured(double loss)
    {
        var world = new CoordinatorWorld(settings => settings with { NotFinite = new(double.IsNaN(loss), double.IsInfinity(loss)) }).Running();
        world.Report(loss);
        Assert.Equal(new TrainingOutcome.NotFinite(0, "loss"), world.Outcome);
    }

    [Fact]
    public void A_failed_attempt_is_aborted_everywhere_and_made_again_under_another_number()
    {
        var world = new CoordinatorWorld().Running();
        var attempt = world.Attempt;
        world.Hear(new TrainingProtocol.Failed(1, Device(2), attempt, "expert shard 0 did not answer"));
        Assert.Equal(2, world.Of<TrainingProtocol.Abort>().Count(a => a.Message.Attempt == attempt));
        Assert.IsType<CoordinatorPhase.Pausing>(world.State.Phase);
        world.Wait(300);
        Assert.True(world.Attempt.IsAfter(attempt));
        Assert.Equal(0, world.Attempt.Step);
        // What still comes of the first one is nothing.
        world.Hear(world.ReportOf(Device(1), attempt));
        world.Hear(world.ReportOf(Device(2), attempt));
        Assert.Empty(world.Of<TrainingProtocol.Commit>());
    }

    [Fact]
    public void A_step_that_fails_again_and_again_ends_the_run_with_the_last_reason()
    {
        var world = new CoordinatorWorld().Running();
        for (var failures = 0; failures < world.State.Settings.MaxAttempts; failures++)
        {
            while (world.State.Phase is CoordinatorPhase.Pausing) world.Wait(100, working: [1, 2]);
            world.Hear(new TrainingProtocol.Failed(1, Device(2), world.Attempt, $"fault {failures}"));
        }

        Assert.Equal($"Training: step 0 failed in 10 attempts; last: {Device(2)}: fault 9.", Assert.IsType<TrainingOutcome.Failed>(world.Outcome).Reason);
    }

    [Fact]
    public void An_attempt_that_is_not_through_in_time_is_aborted()
    {
        var world = new CoordinatorWorld(settings => settings with { StepDeadlineMs = 2000 }).Running();
        world.Hear(world.ReportOf(Device(1), world.Attempt));
        world.Wait(2100, working: [1, 2]);
        Assert.Contains($"these had not reported: {Device(2)}", Assert.Single(world.Effects.OfType<CoordinatorEffect.AttemptFailed>()).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_answered_is_sent_again_to_who_owes_it()
    {
        var world = new CoordinatorWorld().Running();
        world.Hear(world.ReportOf(Device(1), world.Attempt));
        world.Clear();
        world.Wait(1000, working: 2);
        Sequences.Equal([Device(2), Device(2)], world.Of<TrainingProtocol.Begin>().Select(b => b.Device));
    }

    [Fact]
    public void Somebody_can_stop_the_run_after_a_step()
    {
        var world = new CoordinatorWorld().Running();
        world.Step(new CoordinatorEvent.StopRequested());
        world.Report();
        world.Apply();
        Assert.Equal(new TrainingOutcome.Completed(new StateId("init", 1, 1), true), world.Outcome);
    }

    [Fact]
    public void Bad_settings_are_named()
    {
        var settings = new CoordinatorSettings(TrainedShapes.Small(), new TrainingPlanOptions(), Start with { StepsDone = 9 }, Steps: 5)
        {
            MaxAttempts = 2,
            ResendMs = 6000,
            ClipNorm = 0,
            CheckpointPeriod = 0,
        };
        var faults = string.Join('\n', settings.Faults());
        foreach (var named in new[] { "CheckpointPeriod is 0", "SilenceMs 10000 is not above twice ResendMs 6000", "MaxAttempts 2", "steps is 5, but 9 are done", "threshold is 0" })
            Assert.Contains(named, faults, StringComparison.Ordinal);
    }
}
