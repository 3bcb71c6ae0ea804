using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using static ActorLlama.Planning.Tests.Training.CoordinatorWorld;

namespace ActorLlama.Planning.Tests.Training;

public sealed class CoordinatorRecoveryTests
{
    private static readonly TrainingPlan s_plan = new(new(1, 1), [Device(1), Device(2)], [0, 0, 1, 1], [], [0, 1]);
    private static readonly StateId s_three = new("init", 3, 3);
    private static readonly TrainingCheckpoint s_two = new(new StateId("two", 2, 2), "2-1.9");
    private static readonly AttemptId s_attempt = new(3, 1, 20);

    [Fact]
    public void Nothing_begins_before_enough_devices_have_answered_and_storage_was_read()
    {
        var world = new CoordinatorWorld(settings => settings with { MinDevices = 3 });
        world.Hold(1);
        world.Hold(2);
        world.Read();
        Assert.Empty(world.Of<TrainingProtocol.Restore>());
        world.See([1, 2, 3]);
        Assert.Empty(world.Of<TrainingProtocol.Restore>());
        world.Hold(3);
        Assert.All(world.Of<TrainingProtocol.Restore>(), restore => Assert.Equal((Start, null), (restore.Message.State, restore.Message.Folder)));
        Assert.Equal(3, world.Of<TrainingProtocol.Restore>().Count());
    }

    [Fact]
    public void A_run_goes_on_from_its_newest_checkpoint()
    {
        var world = new CoordinatorWorld();
        world.Read(new TrainingCheckpoint(new StateId("one", 1, 1), "1-1.5"), s_two);
        world.Hold(1);
        world.Hold(2);
        Assert.All(world.Of<TrainingProtocol.Restore>(), restore => Assert.Equal((s_two.State, s_two.Folder), (restore.Message.State, restore.Message.Folder)));
    }

    [Fact]
    public void When_somebody_has_applied_the_others_apply_with_that_factor()
    {
        var world = Successor();
        world.Hold(1, s_plan, new StateId("init", 4, 4), Attempt(1, decided: true, applied: true));
        world.Hold(2, s_plan, s_three, Attempt(2));
        var (device, commit) = Assert.Single(world.Of<TrainingProtocol.Commit>());
        Assert.Equal((Device(2), s_attempt, 0.125, 2L), (device, commit.Attempt, commit.Factor, commit.Epoch));
        world.Hear(new TrainingProtocol.Applied(2, Device(2), s_attempt, []));
        Assert.Equal(3, Assert.Single(world.Effects.OfType<CoordinatorEffect.StepDone>()).Sums.Step);
        Assert.Equal(4, world.Attempt.Step);
    }

    [Fact]
    public void When_somebody_was_told_to_apply_all_do()
    {
        var world = Successor();
        world.Hold(1, s_plan, s_three, Attempt(1));
        world.Hold(2, s_plan, s_three, Attempt(2, decided: true));
        Sequences.Equal([Device(1), Device(2)], world.Of<TrainingProtocol.Commit>().Select(c => c.Device));
    }

    [Fact]
    public void When_nobody_has_the_step_is_attempted_anew()
    {
        var world = Successor();
        world.Hold(1, s_plan, s_three, Attempt(1));
        world.Hold(2, s_plan, s_three, Attempt(2));
        Assert.Empty(world.Of<TrainingProtocol.Commit>());
        Assert.Empty(world.Of<TrainingProtocol.Restore>());
        Assert.Equal((3L, 2L), (world.Attempt.Step, world.Attempt.Epoch));
    }

    [Fact]
    public void When_all_have_but_nobody_was_told_so_the_loss_is_not_lost()
    {
        var world = Successor();
        world.Hold(1, s_plan, new StateId("init", 4, 4), Attempt(1, decided: true, applied: true));
        world.Hold(2, s_plan, new StateId("init", 4, 4), Attempt(2, decided: true, applied: true));
        var sums = Assert.Single(world.Effects.OfType<CoordinatorEffect.StepDone>()).Sums;
        Assert.Equal((3, Math.Sqrt(50)), (sums.Step, sums.ParamNorm));
        Sequences.Equal([2, 1], sums.ExpertRows);
        Assert.Equal(4, world.Attempt.Step);
    }

    [Fact]
    public void When_an_owner_is_lost_after_others_applied_all_return_to_the_last_checkpoint()
    {
        var world = Successor(s_two);
        world.See([1, 3]);
        world.Hold(1, s_plan, new StateId("init", 4, 4), Attempt(1, decided: true, applied: true));
        world.Hold(3);
        var restores = world.Of<TrainingProtocol.Restore>().ToList();
        Sequences.Equal([Device(1), Device(3)], restores.Select(r => r.Device));
        Assert.All(restores, restore => Assert.Equal((s_two.State, s_two.Folder), (restore.Message.State, restore.Message.Folder)));
        // The survivor keeps its parts, the new one gets those that were lost.
        Sequences.Equal([0, 0, 1, 1], restores[0].Message.Plan.Pieces);
        world.Restored();
        Assert.Equal(2, world.Attempt.Step);
    }

    [Fact]
    public void Without_a_complete_state_the_run_ends_with_exactly_that_error()
    {
        var world = Successor();
        world.See([1]);
        world.Hold(1, s_plan, s_three);
        var reason = Assert.IsType<TrainingOutcome.NoCompleteState>(world.Outcome).Reason;
        Assert.Contains($"{Device(2)} hold nothing of the run, and no complete state is left", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_has_done_no_step_begins_again_instead()
    {
        var world = Successor();
        world.See([1]);
        world.Hold(1, s_plan, Start);
        Assert.Equal((Start, null), world.Of<TrainingProtocol.Restore>().Select(r => (r.Message.State, r.Message.Folder)).Single());
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void With_checkpoints_the_beginning_counts_as_one_for_as_many_steps_as_lie_between_two(int period, bool beginsAgain)
    {
        var world = new CoordinatorWorld(settings => settings with { EnableCheckpointing = true, CheckpointPeriod = period }, epoch: 2);
        world.Read();
        world.See([1]);
        world.Hold(1, s_plan, s_three);
        if (beginsAgain) Assert.Equal((Start, null), world.Of<TrainingProtocol.Restore>().Select(r => (r.Message.State, r.Message.Folder)).Single());
        else Assert.IsType<TrainingOutcome.NoCompleteState>(world.Outcome);
    }

    [Fact]
    public void A_silent_device_is_given_up_and_the_rest_go_on_without_it()
    {
        var world = Running(s_two);
        world.Wait(10_100, working: 1);
        Assert.Equal(Device(2), Assert.Single(world.Effects.OfType<CoordinatorEffect.Expel>()).Device);
        Sequences.Equal([Device(1)], world.State.Plan!.Devices);
        Assert.Equal(Device(1), Assert.Single(world.Of<TrainingProtocol.Restore>(), restore => restore.Message.Plan == world.State.Plan).Device);
        // It stays out, though the cluster does not know yet.
        world.See([1, 2]);
        Sequences.Equal([Device(1)], world.State.Plan!.Devices);
    }

    [Fact]
    public void Failing_attempts_do_not_hide_that_a_device_is_silent()
    {
        var world = Running(s_two);
        for (var waited = 0; waited < 11_000; waited += 100)
        {
            if (world.State.Phase is CoordinatorPhase.Running running) world.Hear(new TrainingProtocol.Failed(1, Device(1), running.Attempt, "the lane ended"));
            world.Wait(100);
        }

        Assert.Equal(Device(2), Assert.Single(world.Effects.OfType<CoordinatorEffect.Expel>()).Device);
    }

    [Fact]
    public void A_run_that_waits_for_a_replacement_goes_on_with_it_or_ends()
    {
        var world = Running(s_two, settings => settings with { WaitForReplacement = true, ReplacementMs = 5000 });
        world.Clear();
        world.See([1]);
        Assert.IsType<CoordinatorPhase.Waiting>(world.State.Phase);
        world.See([1, 3]);
        Sequences.Equal([Device(1), Device(3)], world.Of<TrainingProtocol.Restore>().Select(r => r.Device));
        world.See([3]);
        world.Wait(5100);
        Assert.Contains("1 of 2 devices are left; the run waits for a replacement.", Assert.IsType<TrainingOutcome.Failed>(world.Outcome).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_memory_is_waited_out_and_named()
    {
        var world = Running(s_two, settings => settings with { ReplacementMs = 5000 });
        world.Step(new CoordinatorEvent.Members([Placement.Devices.Device(1, 0, 100)]));
        world.Wait(5100);
        Assert.Contains("bytes) are missing", Assert.IsType<TrainingOutcome.Failed>(world.Outcome).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_owner_without_its_state_has_everybody_restored()
    {
        var world = Running(s_two);
        world.Clear();
        world.Hear(new TrainingProtocol.Lost(1, Device(2), world.State.Plan!.Id, "out of memory", false));
        Assert.Equal(2, world.Of<TrainingProtocol.Restore>().Count(r => r.Message.State == s_two.State));
    }

    [Fact]
    public void State_that_is_lost_again_and_again_ends_the_run()
    {
        var world = Running(s_two);
        for (var i = 0; i < 10; i++)
        {
            world.Hear(new TrainingProtocol.Lost(1, Device(2), world.State.Plan!.Id, "out of memory", false));
            if (world.State.Phase is CoordinatorPhase.Restoring) world.Restored();
        }

        Assert.Contains("10 times; last: ", Assert.IsType<TrainingOutcome.Failed>(world.Outcome).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_checkpoint_is_left_for_the_one_before()
    {
        var one = new TrainingCheckpoint(new StateId("one", 1, 1), "1-1.5");
        var world = new CoordinatorWorld();
        world.Read(one, s_two);
        world.Hold(1);
        world.Hold(2);
        world.Clear();
        world.Hear(new TrainingProtocol.Lost(1, Device(2), world.State.Plan!.Id, "checksum", Damaged: true));
        Assert.All(world.Of<TrainingProtocol.Restore>(), restore => Assert.Equal(one.State, restore.Message.State));
        world.Hear(new TrainingProtocol.Lost(1, Device(2), world.State.Plan!.Id, "checksum", Damaged: true));
        Assert.IsType<TrainingOutcome.NoCompleteState>(world.Outcome);
    }

    [Fact]
    public void Who_has_only_asked_asks_again_above_another_and_who_has_decided_stands_down()
    {
        var world = new CoordinatorWorld();
        world.Hear(new TrainingProtocol.Fenced(7, Device(1)));
        Assert.Equal(8, world.State.Epoch);
        world.Hear(new TrainingProtocol.Fenced(7, Device(2)));
        Assert.Equal(8, world.State.Epoch);
        Assert.Contains(new CoordinatorEffect.ReadStorage(8), world.Effects);
        world.Running();
        world.Hear(new TrainingProtocol.Fenced(8, Device(2)));
        world.Hear(new TrainingProtocol.Fenced(9, Device(2)));
        Assert.Equal(new TrainingOutcome.StoodDown(9), world.Outcome);
        Assert.Empty(world.Of<TrainingProtocol.End>());
    }

    [Fact]
    public void Who_speaks_after_the_end_is_told_of_it()
    {
        var world = Successor();
        world.See([1]);
        world.Hold(1, s_plan, s_three);
        world.Clear();
        world.Hear(new TrainingProtocol.Working(2, Device(2), s_plan.Id));
        Assert.Equal(Device(2), Assert.Single(world.Of<TrainingProtocol.End>()).Device);
    }

    private static CoordinatorWorld Successor(params TrainingCheckpoint[] checkpoints)
    {
        var world = new CoordinatorWorld(epoch: 2);
        world.Read(checkpoints);
        return world;
    }

    private static CoordinatorWorld Running(TrainingCheckpoint from, Func<CoordinatorSettings, CoordinatorSettings>? settings = null)
    {
        var world = new CoordinatorWorld(settings);
        world.Read(from);
        world.Hold(1);
        world.Hold(2);
        world.Restored();
        return world;
    }

    private static TrainingProtocol.HeldAttempt Attempt(int device, bool decided = false, bool applied = false)
    {
        var slot = device - 1;
        var report = new TrainingProtocol.Report(
            1, Device(device), s_attempt, [new(slot, 2, 0, 0, 1)], [new(2 * slot, 4), new((2 * slot) + 1, 4)], null, [1, slot], [slot], null);
        return new(s_attempt, report, decided, decided ? 0.125 : null, applied, applied ? [new(2 * slot, 9), new((2 * slot) + 1, 16)] : []);
    }
}
