using System.Collections.Immutable;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Training;

public sealed class OwnerRulesTests
{
    private static readonly StateId s_start = new("init", 0, 0);
    private static readonly DeviceId s_me = new(new NodeId("a", 1), "cpu:0");
    private static readonly DeviceId s_peer = new(new NodeId("b", 2), "cpu:0");
    private static readonly TrainingPlan s_plan = new(new(1, 1), [s_me, s_peer], [0, 1], [1], [0, 1]);
    private static readonly AttemptId s_first = new(0, 1, 2);

    private OwnerState _state = OwnerState.New(s_me, trunkSegments: 2, moeLayers: 1);

    [Fact]
    public void A_step_is_reported_when_own_slots_and_all_gradients_are_there_and_applied_once()
    {
        Load();
        Sequences.Equal([0, 1], _state.GradientParts);
        Sequences.Equal([0], Assert.Single(Told(Begin(s_first)).OfType<OwnerEffect.Compute>()).Slots);
        Sequences.Equal([0], Assert.Single(Step(new OwnerEvent.Contributed(s_first, 0, 0)).OfType<OwnerEffect.Add>()).Slots);
        Assert.Empty(Step(new OwnerEvent.Contributed(s_first, 1, 1)));
        Sequences.Equal([0, 1], Assert.Single(Step(new OwnerEvent.Contributed(s_first, 1, 0)).OfType<OwnerEffect.Add>()).Slots);
        Assert.Empty(Step(new OwnerEvent.Computed(s_first, [new(0, 1, 0, 0, 1)], [], [], null)));
        Assert.Single(Step(new OwnerEvent.Contributed(s_first, 0, 1)).OfType<OwnerEffect.Measure>());
        var report = Answer<TrainingProtocol.Report>(Step(new OwnerEvent.Measured(s_first, [new(0, 9)], null)));
        Assert.Equal(9, Assert.Single(report.Norms).SumOfSquares);
        Assert.Equal(report, Answer<TrainingProtocol.Report>(Told(Begin(s_first))));

        var apply = Assert.Single(Told(Commit(s_first, 0.5)).OfType<OwnerEffect.Apply>());
        Assert.Equal((0.5, 1), (apply.Factor, apply.Update));
        Assert.DoesNotContain(Told(Commit(s_first, 0.5)), effect => effect is OwnerEffect.Apply);
        Answer<TrainingProtocol.Applied>(Step(new OwnerEvent.Applied(s_first, [])));
        Assert.Equal(new StateId("init", 1, 1), _state.State);
        Answer<TrainingProtocol.Applied>(Told(Commit(s_first, 0.5)));
        Assert.Equal(new StateId("init", 1, 1), _state.State);
    }

    [Fact]
    public void A_batch_of_the_held_out_text_is_reported_without_gradients_and_followed_by_the_next()
    {
        Load();
        var heldOut = new TrainingProtocol.HeldOut(3, 2.5);
        Assert.Equal(1, Assert.Single(Told(Begin(s_first) with { Batch = 1 }).OfType<OwnerEffect.Compute>()).Batch);
        var report = Answer<TrainingProtocol.Report>(Step(new OwnerEvent.Computed(s_first, [new(0, 1, 0, 0, 1)], [], [], heldOut)));
        Assert.Empty(report.Norms);
        Assert.Equal(heldOut, report.HeldOut);
        Assert.Equal(report, Answer<TrainingProtocol.Report>(Told(Begin(s_first) with { Batch = 1 })));
        Assert.Null(Assert.Single(Told(Begin(s_first with { Number = 9 })).OfType<OwnerEffect.Compute>()).Batch);
    }

    [Fact]
    public void What_was_applied_is_remembered_until_all_have()
    {
        Report();
        Told(Commit(s_first, 0.5));
        Step(new OwnerEvent.Applied(s_first, []));
        var held = Answer<TrainingProtocol.Held>(Told(new TrainingProtocol.Ask(2, "other")));
        Assert.Equal((s_first, true, 0.5, true), (held.Attempt!.Attempt, held.Attempt.IsDecided, held.Attempt.Factor, held.Attempt.IsApplied));
        Assert.NotNull(held.Attempt.Report);
        Assert.Single(Told(new TrainingProtocol.AllCommitted(2, s_plan.Id, s_first)).OfType<OwnerEffect.Drop>());
        Assert.Null(Answer<TrainingProtocol.Held>(Told(new TrainingProtocol.Ask(2, "other"))).Attempt);
    }

    [Fact]
    public void A_skipped_step_counts_but_is_no_update()
    {
        Report();
        Assert.Null(Assert.Single(Told(Commit(s_first, null)).OfType<OwnerEffect.Apply>()).Factor);
        Step(new OwnerEvent.Applied(s_first, []));
        Assert.Equal(new StateId("init", 1, 0), _state.State);
    }

    [Fact]
    public void Lower_epochs_and_a_second_coordinator_of_the_same_are_refused()
    {
        Load();
        Answer<TrainingProtocol.Held>(Told(new TrainingProtocol.Ask(5, "five")));
        Assert.Equal(5, Answer<TrainingProtocol.Fenced>(Told(Begin(s_first))).Epoch);
        Answer<TrainingProtocol.Held>(Told(new TrainingProtocol.Ask(5, "five")));
        Assert.Equal(5, Answer<TrainingProtocol.Fenced>(Told(new TrainingProtocol.Ask(5, "another"))).Epoch);
    }

    [Fact]
    public void An_attempt_that_failed_is_dropped_at_once_and_said_to_have_failed_until_it_is_over()
    {
        Load();
        Told(Begin(s_first));
        Assert.Single(Step(new OwnerEvent.AttemptFailed(s_first, "expert shard 0 is gone")).OfType<OwnerEffect.Drop>());
        Assert.Single(Step(new OwnerEvent.Contributed(s_first, 0, 0)).OfType<OwnerEffect.Reject>());
        Assert.Equal("expert shard 0 is gone", Answer<TrainingProtocol.Failed>(Told(Begin(s_first))).Reason);
        Assert.Equal("expert shard 0 is gone", Refused(s_first, s_start).Message);
        var second = s_first with { Number = 3 };
        Assert.Single(Told(Begin(second)).OfType<OwnerEffect.Compute>());
        Assert.Empty(Told(Begin(s_first)));
        Assert.Equal(ExchangeRefusal.Stale, Refused(s_first, s_start).Reason);
    }

    [Fact]
    public void A_peer_may_call_for_an_attempt_before_its_coordinator_has()
    {
        Load();
        Assert.IsType<Admission.Adopt>(OwnerRules.Admit(_state, s_first, s_start));
        Assert.Single(Step(new OwnerEvent.Called(s_first)).OfType<OwnerEffect.Open>());
        Assert.IsType<Admission.Accept>(OwnerRules.Admit(_state, s_first, s_start));
        Step(new OwnerEvent.Contributed(s_first, 0, 0));
        Assert.DoesNotContain(Told(Begin(s_first)), effect => effect is OwnerEffect.Open);
        Assert.Single(Step(new OwnerEvent.Contributed(s_first, 0, 0)).OfType<OwnerEffect.Reject>());
    }

    [Fact]
    public void Weights_of_another_checkpoint_or_step_are_not_given()
    {
        Assert.Equal(ExchangeRefusal.NoState, Refused(s_first, s_start).Reason);
        Load();
        Assert.Equal(ExchangeRefusal.OtherState, Refused(s_first, s_start with { Origin = "other" }).Reason);
        Assert.Equal(ExchangeRefusal.OtherState, Refused(s_first with { Step = 1 }, null).Reason);
        Told(new TrainingProtocol.Ask(9, "nine"));
        Assert.Equal(ExchangeRefusal.Stale, Refused(s_first, s_start).Reason);
    }

    [Fact]
    public void A_commit_of_what_was_never_reported_shows_that_state_was_lost()
    {
        Load();
        Assert.Contains("no gradients of step 0, attempt 1.2", Answer<TrainingProtocol.Lost>(Told(Commit(s_first, 1))).Reason, StringComparison.Ordinal);
        Told(Begin(s_first));
        Answer<TrainingProtocol.Lost>(Told(Commit(s_first, 1)));
        Assert.Equal(s_start, _state.State);
    }

    [Fact]
    public void An_update_that_breaks_off_leaves_no_state()
    {
        Report();
        Told(Commit(s_first, 1));
        Assert.Equal("out of memory", Answer<TrainingProtocol.Lost>(Step(new OwnerEvent.ApplyFailed(s_first, "out of memory"))).Reason);
        Assert.Null(_state.State);
        Answer<TrainingProtocol.Lost>(Told(Begin(s_first with { Number = 9 })));
    }

    [Fact]
    public void An_owner_that_began_anew_says_that_it_holds_no_such_plan()
    {
        Assert.Contains("holds no plan", Answer<TrainingProtocol.Lost>(Told(Begin(s_first))).Reason, StringComparison.Ordinal);
        Assert.Contains("holds no plan", Answer<TrainingProtocol.Lost>(Told(Commit(s_first, 1))).Reason, StringComparison.Ordinal);
        Assert.Empty(Told(new TrainingProtocol.Abort(1, s_plan.Id, s_first)));
        Assert.Empty(Told(new TrainingProtocol.AllCommitted(1, s_plan.Id, s_first)));
    }

    [Fact]
    public void Parts_in_the_state_of_the_checkpoint_stay_and_any_others_are_loaded()
    {
        Load();
        // It is still what the run began with.
        Assert.True(Restore(2, s_start).Keep);
        Step(new OwnerEvent.Loaded(new(1, 2)));
        Told(new TrainingProtocol.Snapshot(1, new(1, 2), new(1, 3), s_start, "0"));
        Step(new OwnerEvent.Written(new(1, 3), []));
        Told(new TrainingProtocol.EndSave(1, new(1, 2), new(1, 3), "digest"));
        Assert.True(Restore(4, new StateId("digest", 0, 0)).Keep);
        Step(new OwnerEvent.Loaded(new(1, 4)));
        Assert.False(Restore(5, new StateId("another", 0, 0)).Keep);
        Assert.False(Restore(6, new StateId("digest", 0, 0)).Keep);
    }

    [Fact]
    public void A_restore_ends_what_is_on_its_way_and_an_older_one_is_nothing()
    {
        Report();
        Told(Commit(s_first, 1));
        var effects = Told(new TrainingProtocol.Restore(1, s_plan with { Id = new(1, 7) }, s_start, null));
        Assert.Single(effects.OfType<OwnerEffect.Drop>());
        // It may be half applied.
        Assert.False(Assert.Single(effects.OfType<OwnerEffect.Load>()).Keep);
        Assert.Empty(Step(new OwnerEvent.Applied(s_first, [])));
        Assert.Empty(Told(new TrainingProtocol.Restore(1, s_plan, s_start, null)));
        Answer<TrainingProtocol.Restored>(Step(new OwnerEvent.Loaded(new(1, 7))));
        Assert.Equal(s_start, _state.State);
    }

    [Fact]
    public void A_snapshot_is_of_one_state_and_ends_with_its_coordinator()
    {
        Load();
        var order = new TrainingProtocol.Snapshot(1, s_plan.Id, new(1, 3), s_start, "0");
        Assert.Single(Told(order).OfType<OwnerEffect.TakeSnapshot>());
        Answer<TrainingProtocol.Snapshotted>(Told(order));
        Answer<TrainingProtocol.Written>(Step(new OwnerEvent.Written(new(1, 3), [])));
        Answer<TrainingProtocol.Written>(Told(order));
        Assert.Single(Told(new TrainingProtocol.Ask(2, "other")).OfType<OwnerEffect.DropSnapshot>());
        var other = order with { Epoch = 2, Save = new(2, 1), State = s_start with { StepsDone = 4 } };
        Assert.Contains("at 0 steps", Answer<TrainingProtocol.NotWritten>(Told(other)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_late_order_of_a_save_that_is_over_writes_nothing()
    {
        Load();
        var order = new TrainingProtocol.Snapshot(1, s_plan.Id, new(1, 3), s_start, "0");
        Told(order);
        Told(new TrainingProtocol.EndSave(1, s_plan.Id, new(1, 3), null));
        Assert.Empty(Told(order));
    }

    [Fact]
    public void The_end_of_the_run_leaves_nothing()
    {
        Report();
        var effects = Told(new TrainingProtocol.End(1));
        Assert.Single(effects.OfType<OwnerEffect.Drop>());
        Assert.Single(effects.OfType<OwnerEffect.Unload>());
        Assert.Null(_state.Plan);
    }

    private void Load()
    {
        Told(new TrainingProtocol.Restore(1, s_plan, s_start, null));
        Answer<TrainingProtocol.Restored>(Step(new OwnerEvent.Loaded(s_plan.Id)));
    }

    private OwnerEffect.Load Restore(long number, StateId state) =>
        Assert.Single(Told(new TrainingProtocol.Restore(1, s_plan with { Id = new(1, number) }, state, "f")).OfType<OwnerEffect.Load>());

    private void Report()
    {
        Load();
        Told(Begin(s_first));
        foreach (var part in _state.GradientParts.ToList())
            for (var slot = 0; slot < 2; slot++) Step(new OwnerEvent.Contributed(s_first, part, slot));
        Step(new OwnerEvent.Computed(s_first, [new(0, 1, 0, 0, 1)], [], [], null));
        Step(new OwnerEvent.Measured(s_first, [new(0, 9)], null));
    }

    private Admission.Refused Refused(AttemptId attempt, StateId? read) => Assert.IsType<Admission.Refused>(OwnerRules.Admit(_state, attempt, read));

    private static TrainingProtocol.Begin Begin(AttemptId attempt) => new(1, s_plan.Id, attempt, s_start, null);

    private static TrainingProtocol.Commit Commit(AttemptId attempt, double? factor) => new(1, s_plan.Id, attempt, factor);

    private ImmutableArray<OwnerEffect> Told(IClusterMessage message) => Step(new OwnerEvent.Told(message));

    private static T Answer<T>(ImmutableArray<OwnerEffect> effects) => Assert.Single(effects.OfType<OwnerEffect.Tell>().Select(tell => tell.Message).OfType<T>());

    private ImmutableArray<OwnerEffect> Step(OwnerEvent happened)
    {
        (_state, var effects) = OwnerRules.Step(_state, happened);
        return effects;
    }
}
