using System.Collections.Immutable;
using ActorLlama.Planning.Routing;
using ActorLlama.Protocol;
using FsCheck;
using FsCheck.Xunit;
using static ActorLlama.Planning.Tests.Routing.Loaded;

namespace ActorLlama.Planning.Tests.Routing;

public sealed class ExpertCallStateTests
{
    private static readonly BatchId Batch = new(1, 9, 2, 0);

    private readonly ExpertCallOptions _options = new() { CallDeadlineMs = 100, LayerDeadlineMs = 1000, MaxSends = 4, BusyMs = 10, WorkLimitMs = 3000 };
    private readonly RouteTable _both = new RouteTable(Node(9), 50).With(Routes(1, Shard(1, 0, 0), Shard(2, 0, 1), Shard(1, 1, 0)));
    private readonly RouteTable _single = new RouteTable(Node(9), 50).With(Routes(1, Shard(1, 0, 0), Shard(1, 1, 0)));

    [Fact]
    public void Every_shard_gets_its_rows_and_the_last_answer_completes_the_layer()
    {
        var state = Calls(0, 3, 1, 2);
        var sends = state.Start(_both, 0).Cast<ExpertCallEffect.Send>().ToList();
        Assert.Equal([new CallId(Batch, 5, 0, 0), new CallId(Batch, 5, 1, 0)], sends.Select(s => s.Call));
        Sequences.Equal([0, 1], sends[0].ToMessage().Experts);
        Assert.Equal(1, sends[0].ToMessage().RouteEpoch);

        Sequences.Equal([1, 3], Assert.IsType<ExpertCallEffect.Place>(state.Ran(sends[1].Call).Single()).Rows);
        var end = state.Ran(sends[0].Call);
        Sequences.Equal([0, 2], Assert.IsType<ExpertCallEffect.Place>(end[0]).Rows);
        Assert.IsType<ExpertCallEffect.Complete>(end[1]);
        Assert.True(state.IsOver);
        Assert.IsType<ExpertCallEffect.Ignore>(state.Ran(sends[0].Call).Single());
    }

    [Fact]
    public void A_layer_without_rows_is_complete_at_once() => Assert.IsType<ExpertCallEffect.Complete>(Calls().Start(_both, 0).Single());

    [Fact]
    public void Answers_to_other_calls_are_ignored()
    {
        var state = Calls(0);
        var call = Sent(state.Start(_both, 0)).Call;
        foreach (var other in new[] { call with { Resend = 1 }, call with { Layer = 4 }, call with { Shard = 1 }, call with { Batch = Batch with { Attempt = 1 } } })
        {
            Assert.IsType<ExpertCallEffect.Ignore>(state.Ran(other).Single());
            Assert.IsType<ExpertCallEffect.Ignore>(state.Refused(other, RefusalReason.Failed, "", _both, 0).Single());
        }
    }

    [Theory]
    [InlineData(RefusalReason.Failed)]
    [InlineData(RefusalReason.Unknown)]
    [InlineData(RefusalReason.Stale)]
    [InlineData(RefusalReason.Loading)]
    public void A_refused_call_goes_to_another_replica(RefusalReason reason)
    {
        var state = Calls(0);
        var first = Sent(state.Start(_both, 0));
        var effects = state.Refused(first.Call, reason, "no", _both, 1);
        Assert.Equal(new ExpertCallEffect.MarkFailed(Target(1, 0, 0)), effects[0]);
        Assert.Equal((Target(2, 0, 1), 1), (Sent(effects).Route.Target, Sent(effects).Call.Resend));
        Assert.IsType<ExpertCallEffect.Ignore>(state.Ran(first.Call).Single());
        Assert.IsType<ExpertCallEffect.Place>(state.Ran(Sent(effects).Call)[0]);
    }

    [Fact]
    public void A_busy_replica_is_not_marked_and_is_asked_again_when_there_is_no_other()
    {
        var state = Calls(0);
        var first = Sent(state.Start(_single, 0));
        Assert.Empty(state.Refused(first.Call, RefusalReason.Busy, "full", _single, 0));
        Assert.Empty(state.Tick(_single, 9));
        var second = Sent(state.Tick(_single, 10));
        Assert.Equal(first.Route, second.Route);
        Assert.Empty(state.Refused(second.Call, RefusalReason.Busy, "full", _single, 10));
        Assert.Empty(state.Tick(_single, 29));

        var other = Calls(0);
        var effects = other.Refused(Sent(other.Start(_both, 0)).Call, RefusalReason.Busy, "full", _both, 0);
        Assert.Equal(Target(2, 0, 1), Assert.IsType<ExpertCallEffect.Send>(effects.Single()).Route.Target);
    }

    [Fact]
    public void A_busy_replica_is_asked_again_after_a_rest_drawn_from_its_upper_half()
    {
        int Rest(int seed)
        {
            var state = new ExpertCallState(Batch, 5, TokenGrouping.Group([0], new(4, 2)), _options with { BusyMs = 80 }, 0, planEpoch: 1, random: new Random(seed));
            state.Refused(Sent(state.Start(_single, 0)).Call, RefusalReason.Busy, "full", _single, 0);
            return Enumerable.Range(0, 100).First(ms => !state.Tick(_single, ms).IsEmpty);
        }

        var rests = Enumerable.Range(0, 50).Select(Rest).ToArray();
        Assert.All(rests, rest => Assert.InRange(rest, 40, 80));
        Assert.True(rests.Distinct().Count() > 10, $"only {rests.Distinct().Count()} different ones");
        Assert.Equal(Rest(3), Rest(3));
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    public void Rows_that_were_where_a_process_died_are_sent_once_more_and_not_at_all_when_they_were_suspected_before(int attempt, int deaths)
    {
        var state = new ExpertCallState(Batch with { Attempt = attempt }, 5, TokenGrouping.Group([0], new(4, 2)), _options, 0, planEpoch: 1);
        var effects = state.Start(_both, 0);
        for (var death = 1; death < deaths; death++)
            effects = state.Refused(Sent(effects).Call, RefusalReason.Poisonous, "the connection ended", _both, 0);
        var fail = Assert.IsType<ExpertCallEffect.Fail>(state.Refused(Sent(effects).Call, RefusalReason.Poisonous, "the connection ended", _both, 0).Single());
        Assert.Equal(RefusalReason.Poisonous, fail.Reason);
    }

    [Fact]
    public void A_process_dies_once_so_one_that_breaks_its_lanes_again_and_again_is_no_death_by_the_rows()
    {
        var state = new ExpertCallState(Batch with { Attempt = 1 }, 5, TokenGrouping.Group([0], new(4, 2)), _options, 0, planEpoch: 1);
        var effects = state.Start(_single, 0);
        for (var time = 1; time < _options.MaxSends; time++)
        {
            var refused = state.Refused(Sent(effects).Call, RefusalReason.Poisonous, "the connection ended", _single, 0);
            Assert.IsType<ExpertCallEffect.MarkFailed>(Assert.Single(refused));
            effects = state.RoutesChanged(_single, 0);
        }

        state.Refused(Sent(effects).Call, RefusalReason.Poisonous, "the connection ended", _single, 0);
        Assert.Equal(RefusalReason.Failed, Assert.IsType<ExpertCallEffect.Fail>(state.RoutesChanged(_single, 0).Single()).Reason);
    }

    [Fact]
    public void A_lost_lane_resends_all_calls_to_it_and_waits_where_no_replica_is_left()
    {
        var state = Calls(0, 2);
        state.Start(_single, 0);
        Assert.Empty(state.Lost(Target(2, 0, 1), _single, 1));
        Assert.Equal(new ExpertCallEffect.MarkFailed(Target(1, 0, 0)), state.Lost(Target(1, 0, 0), _single, 1).Single());
        var table = _single.Fail(Target(1, 0, 0), 1);
        Assert.Empty(state.RoutesChanged(table, 2));
        var sent = Sent(state.RoutesChanged(table.With(Routes(2, Shard(3, 0, 0, 2), Shard(1, 1, 0))), 3));
        Assert.Equal((0, Target(3, 0, 0, 2), 2L), (sent.Call.Shard, sent.Route.Target, sent.Route.Epoch));
    }

    [Fact]
    public void Rows_grouped_by_a_plan_that_divides_the_experts_otherwise_are_not_sent_by_a_later_one_and_wait_for_an_earlier_one()
    {
        // Experts 0 and 1 are shard 0; in the other plan expert 1 is shard 1.
        var single = Shard(3, 0, 0);
        var otherwise = Routes(1, single with { Placement = single.Placement with { Experts = 1 } }) with { PlanEpoch = 2 };
        var state = Calls(1);
        Assert.Equal(new ExpertCallEffect.MarkFailed(Target(1, 0, 0)), state.Refused(Sent(state.Start(_single, 0)).Call, RefusalReason.Stale, "gone", _single, 0).Single());
        var fail = Assert.IsType<ExpertCallEffect.Fail>(state.RoutesChanged(_single.With(otherwise), 1).Single());
        Assert.Equal(RefusalReason.Failed, fail.Reason);
        Assert.Contains("plan 2 divides the experts otherwise than plan 1", fail.Message, StringComparison.Ordinal);

        var early = new ExpertCallState(Batch, 5, TokenGrouping.Group([1], new(4, 2)), _options, 0, planEpoch: 3);
        var table = _single.With(otherwise);
        Assert.Empty(early.Start(table, 0));
        Assert.Empty(early.Tick(table, 1));
        Assert.Equal(Target(4, 0, 0), Sent(early.RoutesChanged(table.With(Routes(1, Shard(4, 0, 0)) with { PlanEpoch = 3 }), 2)).Route.Target);
    }

    [Fact]
    public void A_late_call_is_sent_again_and_its_answer_still_counts_until_then()
    {
        var state = Calls(0);
        var first = Sent(state.Start(_single, 0));
        Assert.Empty(state.Tick(_single, 99));
        Assert.IsType<ExpertCallEffect.MarkFailed>(state.Tick(_single, 100).Single());
        Assert.IsType<ExpertCallEffect.Place>(state.Ran(first.Call)[0]);

        state = Calls(0);
        first = Sent(state.Start(_single, 0));
        state.Tick(_single, 100);
        var table = _single.Fail(Target(1, 0, 0), 100);
        Assert.Equal(1, Sent(state.Tick(table, 150)).Call.Resend);
        Assert.IsType<ExpertCallEffect.Ignore>(state.Ran(first.Call).Single());
    }

    [Fact]
    public void A_call_to_a_device_that_is_at_work_waits_there_and_its_layer_with_it_but_not_for_ever()
    {
        var table = new RouteTable(Node(9), 50).With(Routes(1, Shard(1, 0, 0).OnDevice(), Shard(2, 1, 0).OnDevice()));
        var state = Calls(0, 2);
        var first = Sent([state.Start(table, 0)[0]]);
        for (var now = 0; now < 2900; now += 100)
        {
            Assert.Empty(state.Tick(table, now + 65));
            Assert.Equal([Device(Node(1)), Device(Node(2))], state.Tick(table, now + 66).Cast<ExpertCallEffect.Ask>().Select(a => a.Device));
            Assert.Empty(state.Tick(table, now + 99));
            Assert.IsType<ExpertCallEffect.Alive>(state.AtWork(Device(Node(1)), now + 100).Single());
            Assert.IsType<ExpertCallEffect.Alive>(state.AtWork(Device(Node(2)), now + 100).Single());
        }

        Assert.Empty(state.AtWork(Device(Node(3)), 2950));
        Assert.IsType<ExpertCallEffect.Place>(state.Ran(first.Call).Single());
        Assert.Empty(state.AtWork(Device(Node(2)), 3000));
        Assert.IsType<ExpertCallEffect.Fail>(state.Tick(table, 3900).Single());
    }

    [Fact]
    public void A_call_is_sent_again_when_its_device_does_not_say_that_it_is_at_work()
    {
        var table = new RouteTable(Node(9), 50).With(Routes(1, Shard(1, 0, 0).OnDevice(), Shard(2, 0, 1).OnDevice()));
        var state = Calls(0);
        state.Start(table, 0);
        Assert.IsType<ExpertCallEffect.Ask>(state.Tick(table, 90).Single());
        Assert.Empty(state.Tick(table, 122));
        Assert.Equal(Target(2, 0, 1), Sent(state.Tick(table, 123)).Route.Target);
    }

    [Fact]
    public void Deadlines_begin_anew_when_nothing_could_be_heard()
    {
        var state = Calls(0);
        state.Start(_single, 0);
        state.WasDeaf(1500);
        Assert.Empty(state.Tick(_single, 1599));
        Assert.IsType<ExpertCallEffect.MarkFailed>(state.Tick(_single, 1600).Single());
    }

    [Fact]
    public void A_layer_fails_once_at_its_deadline_and_says_what_it_waited_for()
    {
        var state = Calls(0, 1);
        state.Start(new RouteTable(Node(9), 50), 0);
        Assert.Empty(state.Tick(new RouteTable(Node(9), 50), 999));
        var fail = Assert.IsType<ExpertCallEffect.Fail>(state.Tick(_both, 1000).Single());
        Assert.Equal("Experts: layer 5, shard 0, 2 rows, sent 0 times: no replica of the shard is loaded", fail.Message);
        Assert.Empty(state.Tick(_both, 1001));
        Assert.Empty(state.RoutesChanged(_both, 1001));
    }

    [Fact]
    public void Rows_that_were_sent_too_often_fail_the_layer_and_so_does_an_invalid_call()
    {
        var state = Calls(0);
        var send = Sent(state.Start(_both, 0));
        for (var i = 1; i < 4; i++)
            send = Sent(state.Refused(send.Call, RefusalReason.Failed, "out of memory", _both, i));
        var fail = Assert.IsType<ExpertCallEffect.Fail>(state.Refused(send.Call, RefusalReason.Failed, "out of memory", _both, 5)[^1]);
        Assert.Equal("Experts: layer 5, shard 0, 1 rows, sent 4 times: refused with Failed: out of memory", fail.Message);

        state = Calls(0);
        var effects = state.Refused(Sent(state.Start(_both, 0)).Call, RefusalReason.Invalid, "2 experts for 1 rows", _both, 0);
        Assert.Equal(RefusalReason.Invalid, Assert.IsType<ExpertCallEffect.Fail>(effects.Single()).Reason);
    }

    [Fact]
    public void An_aborted_layer_ignores_everything()
    {
        var state = Calls(0);
        var send = Sent(state.Start(_both, 0));
        state.Abort();
        Assert.IsType<ExpertCallEffect.Ignore>(state.Ran(send.Call).Single());
        Assert.Empty(state.Lost(send.Route.Target, _both, 0));
        Assert.Empty(state.Tick(_both, 5000));
    }

    [Property(MaxTest = 300, EndSize = 1_000_000)]
    public void Whatever_happens_each_row_is_placed_at_most_once_and_the_layer_ends_once_in_time(NonNegativeInt seed)
    {
        var random = new Random(seed.Get);
        var experts = Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(8)).ToArray();
        var state = new ExpertCallState(Batch, 5, TokenGrouping.Group(experts, new(8, 4)), _options with { WorkLimitMs = 1500 }, 0, planEpoch: 1);
        var table = new RouteTable(Node(9), 50);
        var now = 0L;
        var version = 0;
        var placed = new int[experts.Length];
        List<ExpertCallEffect.Send> sends = [];
        List<ExpertCallEffect> ends = [];

        Apply(state.Start(table, now));
        while (now < 2600)
        {
            now += random.Next(0, 20);
            var old = sends.Count == 0 ? null : sends[random.Next(sends.Count)];
            switch (random.Next(8))
            {
                case 0:
                    table = table.With(Routes(++version, [.. Enumerable.Range(0, 8).Where(_ => random.Next(3) > 0).Select(i => Shard(random.Next(3), i / 2, i % 2).OnDevice())]));
                    Apply(state.RoutesChanged(table, now));
                    break;
                case 1 when old is not null:
                    Apply(state.Ran(old.Call));
                    break;
                case 2 when old is not null:
                    Apply(state.Refused(old.Call, random.Next(4) == 0 ? RefusalReason.Busy : RefusalReason.Failed, "no", table, now));
                    break;
                case 3 when old is not null:
                    Apply(state.Lost(old.Route.Target, table, now));
                    break;
                case 4 when random.Next(4) == 0:
                    Apply(state.AtWork(Device(Node(random.Next(3))), now));
                    break;
                case 5 when random.Next(10) == 0:
                    state.WasDeaf(now);
                    break;
                default:
                    Apply(state.Tick(table, now));
                    break;
            }
        }

        Apply(state.Tick(table, now));
        Assert.True(state.IsOver);
        Assert.All(placed, p => Assert.InRange(p, 0, 1));
        var end = Assert.Single(ends);
        Assert.Equal(end is ExpertCallEffect.Complete, placed.All(p => p == 1));
        Assert.Equal(sends.Count, sends.Select(s => s.Call).Distinct().Count());
        Assert.All(sends.GroupBy(s => s.Call.Shard), s => Assert.InRange(s.Count(), 1, _options.MaxSends));

        void Apply(ImmutableArray<ExpertCallEffect> effects)
        {
            foreach (var effect in effects)
            {
                Assert.Empty(effect is ExpertCallEffect.Ignore ? [] : ends);
                switch (effect)
                {
                    case ExpertCallEffect.Send send: sends.Add(send); break;
                    case ExpertCallEffect.MarkFailed failed: table = table.Fail(failed.Target, now); break;
                    case ExpertCallEffect.Place place:
                        foreach (var row in place.Rows)
                            placed[row]++;
                        break;
                    case ExpertCallEffect.Complete or ExpertCallEffect.Fail: ends.Add(effect); break;
                }
            }
        }
    }

    private static ExpertCallEffect.Send Sent(ImmutableArray<ExpertCallEffect> effects) =>
        Assert.Single(effects.OfType<ExpertCallEffect.Send>());

    private ExpertCallState Calls(params int[] experts) => new(Batch, 5, TokenGrouping.Group(experts, new(4, 2)), _options, 0, planEpoch: 1);
}
