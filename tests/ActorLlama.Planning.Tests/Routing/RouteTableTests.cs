using ActorLlama.Planning.Routing;
using static ActorLlama.Planning.Tests.Routing.Loaded;

namespace ActorLlama.Planning.Tests.Routing;

public sealed class RouteTableTests
{
    private readonly RouteTable _empty = new(Node(2), restMs: 100);

    [Fact]
    public void The_own_node_comes_first_then_the_lowest_replica()
    {
        var table = _empty.With(Routes(1, Shard(1, 0, 0), Shard(2, 0, 1), Shard(3, 1, 2), Shard(4, 1, 1)));
        Assert.Equal(Target(2, 0, 1), table.Pick(0, 0)!.Value.Target);
        Assert.Equal(Target(4, 1, 1), table.Pick(1, 0)!.Value.Target);
        Assert.Null(table.Pick(2, 0));
        Assert.Null(_empty.Pick(0, 0));
    }

    [Fact]
    public void Only_newer_routes_replace_older_ones()
    {
        var table = _empty.With(Routes(5, Shard(1, 0, 0)));
        Assert.Same(table, table.With(Routes(5)));
        Assert.Same(table, table.With(Routes(9) with { PlanEpoch = 0 }));
        Assert.Null(table.With(Routes(6)).Pick(0, 0));
        Assert.Null(table.With(Routes(1) with { PlanEpoch = 2 }).Pick(0, 0));
    }

    [Fact]
    public void Replicas_that_are_not_loaded_or_faulty_are_passed_over_and_the_highest_epoch_of_one_wins()
    {
        var table = _empty.With(Routes(
            1, Shard(1, 0, 0) with { Expert = null }, Shard(1, 0, 1) with { Fault = "NaN" }, Shard(3, 0, 2, epoch: 1), Shard(4, 0, 2, epoch: 7)));
        Assert.Equal(new Route(0, 2, Target(4, 0, 2, 7), 7, null), table.Pick(0, 0));
    }

    [Fact]
    public void A_failed_target_is_passed_over_until_newer_routes_or_until_it_has_rested()
    {
        var table = _empty.With(Routes(1, Shard(1, 0, 0), Shard(3, 0, 1)));
        table = table.Fail(Target(1, 0, 0), 1000);
        Assert.Equal(Target(3, 0, 1), table.Pick(0, 5000)!.Value.Target);
        table = table.Fail(Target(3, 0, 1), 1050);
        Assert.Null(table.Pick(0, 1099));
        Assert.Equal(Target(1, 0, 0), table.Pick(0, 1100)!.Value.Target);
        table = table.Fail(Target(1, 0, 0), 1100);
        Assert.Equal(Target(3, 0, 1), table.Pick(0, 1200)!.Value.Target);
        Assert.Equal(Target(1, 0, 0), table.With(Routes(2, Shard(1, 0, 0))).Pick(0, 1100)!.Value.Target);
    }

    [Fact]
    public void A_target_that_fails_again_and_again_rests_longer_each_time_up_to_a_bound()
    {
        var table = _empty.With(Routes(1, Shard(1, 0, 0)));
        var now = 1000L;
        foreach (var rest in new[] { 100, 200, 400, 800, 1600, 1600 })
        {
            table = table.Fail(Target(1, 0, 0), now);
            Assert.Null(table.Pick(0, now + rest - 1));
            Assert.NotNull(table.Pick(0, now + rest));
            now += rest;
        }

        now += 10_000;
        Assert.NotNull(table.Fail(Target(1, 0, 0), now).Pick(0, now + 100));
    }
}
