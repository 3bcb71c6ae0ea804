using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Training.CoordinatorWorld;

namespace ActorLlama.Planning.Tests.Training;

public sealed class CoordinatorSaveTests
{
    [Fact]
    public void The_next_step_begins_when_all_have_copied_the_state_and_goes_on_while_it_is_written()
    {
        var world = Saving();
        Assert.Equal(2, world.Of<TrainingProtocol.Snapshot>().Count(s => s.Message.State == Start));
        Assert.Empty(world.Of<TrainingProtocol.Begin>());
        world.Snapshotted();
        world.Report();
        world.Apply();
        Assert.Equal(1, world.State.State!.Value.StepsDone);
        var save = world.Save;
        world.Written();
        var manifest = Assert.Single(world.Effects.OfType<CoordinatorEffect.WriteManifest>());
        Assert.Equal((save, Start, 2), (manifest.Save, manifest.State, manifest.Files.Length));
        world.Step(new CoordinatorEvent.ManifestWritten(save, "digest", "folder"));
        Sequences.Equal([new TrainingCheckpoint(new StateId("digest", 0, 0), "folder")], world.State.Checkpoints);
        Assert.All(world.Of<TrainingProtocol.EndSave>(), end => Assert.Equal("digest", end.Message.Digest));
    }

    [Fact]
    public void A_synchronous_one_is_waited_for()
    {
        var world = Saving(settings => settings with { AsyncCheckpointing = false });
        world.Snapshotted();
        world.Written();
        Assert.Empty(world.Of<TrainingProtocol.Begin>());
        world.Step(new CoordinatorEvent.ManifestWritten(world.Save, "digest", "folder"));
        Assert.Equal(2, world.Of<TrainingProtocol.Begin>().Count());
    }

    [Fact]
    public void One_that_fails_leaves_nothing_and_the_run_goes_on()
    {
        var world = Saving();
        world.Hear(new TrainingProtocol.NotWritten(1, Device(2), world.Save, "the disk is full"));
        var abandoned = Assert.Single(world.Effects.OfType<CoordinatorEffect.AbandonSave>());
        Assert.Equal($"{Device(2)}: the disk is full", abandoned.Reason);
        Assert.All(world.Of<TrainingProtocol.EndSave>(), end => Assert.Null(end.Message.Digest));
        Assert.Equal(0, world.Attempt.Step);
        world.Report();
        world.Apply();
        // It is due again after the first step.
        Assert.Equal(1, world.Of<TrainingProtocol.Snapshot>().Last().Message.State.StepsDone);
    }

    [Fact]
    public void One_that_takes_too_long_is_given_up()
    {
        var world = Saving(settings => settings with { SaveDeadlineMs = 3000 });
        world.Snapshotted();
        world.Wait(3100, working: [1, 2]);
        Assert.Equal("it was not written after 3000 ms", Assert.Single(world.Effects.OfType<CoordinatorEffect.AbandonSave>()).Reason);
    }

    [Fact]
    public void It_is_one_manifest_or_nothing_when_an_owner_is_lost()
    {
        var world = Saving();
        world.Snapshotted();
        world.Hear(new TrainingProtocol.Written(1, Device(1), world.Save, []));
        world.See([1]);
        Assert.Single(world.Effects.OfType<CoordinatorEffect.AbandonSave>());
        Assert.Empty(world.Effects.OfType<CoordinatorEffect.WriteManifest>());
    }

    [Fact]
    public void What_is_restored_waits_until_it_is_known_whether_the_manifest_was_written()
    {
        var world = Saving();
        world.Snapshotted();
        var save = world.Save;
        world.Written();
        world.Clear();
        world.See([1]);
        Assert.Empty(world.Of<TrainingProtocol.Restore>());
        world.Step(new CoordinatorEvent.ManifestWritten(save, "digest", "folder"));
        Assert.Equal(new StateId("digest", 0, 0), Assert.Single(world.Of<TrainingProtocol.Restore>()).Message.State);
    }

    [Fact]
    public void The_last_state_is_saved_before_the_run_is_over()
    {
        var world = Saving(settings => settings with { Steps = 1, SaveOnStart = false });
        world.Report();
        world.Apply();
        world.Snapshotted();
        world.Written();
        Assert.IsType<CoordinatorPhase.Saving>(world.State.Phase);
        world.Step(new CoordinatorEvent.ManifestWritten(world.Save, "digest", "folder"));
        Assert.IsType<TrainingOutcome.Completed>(world.Outcome);
    }

    [Fact]
    public void A_run_whose_last_state_cannot_be_saved_says_so()
    {
        var world = Saving(settings => settings with { Steps = 1, SaveOnStart = false });
        world.Report();
        world.Apply();
        world.Hear(new TrainingProtocol.NotWritten(1, Device(2), world.Save, "the disk is full"));
        Assert.Equal("Training: 1 steps are done, but their checkpoint could not be written.", Assert.IsType<TrainingOutcome.Failed>(world.Outcome).Reason);
    }

    [Fact]
    public void A_new_device_is_let_in_at_a_checkpoint_and_nothing_is_done_twice()
    {
        var world = Saving(settings => settings with { SaveOnStart = false, CheckpointPeriod = 100 });
        world.See([1, 2, 3]);
        world.Report();
        world.Apply();
        world.Snapshotted();
        world.Written();
        world.Clear();
        world.Step(new CoordinatorEvent.ManifestWritten(world.State.Save!.Id, "digest", "folder"));
        var restores = world.Of<TrainingProtocol.Restore>().ToList();
        Sequences.Equal([Device(1), Device(2), Device(3)], restores.Select(r => r.Device));
        Assert.All(restores, restore => Assert.Equal(new StateId("digest", 1, 1), restore.Message.State));
        world.Restored();
        Assert.Equal(1, world.Attempt.Step);
    }

    [Fact]
    public void Without_checkpoints_nobody_is_let_in()
    {
        var world = new CoordinatorWorld().Running();
        world.See([1, 2, 3]);
        world.Report();
        world.Apply();
        Assert.Equal(1, world.Attempt.Step);
        Sequences.Equal([Device(1), Device(2)], world.State.Plan!.Devices);
    }

    private static CoordinatorWorld Saving(Func<CoordinatorSettings, CoordinatorSettings>? settings = null) =>
        new CoordinatorWorld(given => (settings ?? (s => s))(given with { EnableCheckpointing = true })).Running();
}
