using ActorLlama.Planning.Routing;
using ActorLlama.Protocol;
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
        Assert.Equal(new Route(0, 2, Target(4, 0, 2, 7), 7, null, 0, Experts), table.Pick(0, 0));
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

    [Fact]
    public void Rests_are_drawn_from_their_upper_half_and_equal_seeds_draw_equal_ones()
    {
        List<long> Rests(int seed)
        {
            var random = new Random(seed);
            var table = _empty.With(Routes(1, Shard(1, 0, 0)));
            List<long> rests = [];
            foreach (var longest in new[] { 100, 200, 400, 800, 1600, 1600 })
            {
                table = table.Fail(Target(1, 0, 0), 1000, random);
                var rest = Enumerable.Range(0, 2000).First(ms => table.Pick(0, 1000 + ms) is not null);
                Assert.InRange(rest, longest / 2, longest);
                rests.Add(rest);
            }

            return rests;
        }

        Assert.Equal(Rests(1), Rests(1));
        Assert.NotEqual(Rests(1), Rests(2));
    }

    [Fact]
    public void Of_the_nearest_replicas_the_one_on_the_device_with_the_fewest_rows_is_called()
    {
        var near = new RouteTable(new NodeId("here:1", 9), 50).With(Routes(
            1, Shard(1, 0, 0), Shard(2, 0, 1), On("here:2", 1, 3), On("here:3", 1, 5), Shard(3, 1, 0), Shard(3, 2, 0), Shard(4, 2, 1), On("here:1", 2, 2)));
        var given = new DeviceRows();
        int[] taken = [.. Enumerable.Range(0, 4).Select(_ => Call(0, 10))];
        Assert.Equal([0, 1, 0, 1], taken);
        Assert.Equal([3, 5, 5, 5], new[] { Call(1, 30), Call(1, 10), Call(1, 10), Call(1, 10) });
        Assert.Equal([2, 2], new[] { Call(2, 10), Call(2, 10) });
        // Device 1 has 20 rows of shard 0, device 2 as many; what another shard gives counts as well.
        given.Give(near.Pick(0, 0, given)!.Value, 5);
        Assert.Equal(1, near.Pick(0, 0, given)!.Value.Replica);
        Assert.Equal(5, near.Fail(new LaneTarget(new NodeId("here:2", 1), "x", 1), 0).Pick(1, 0, given)!.Value.Replica);
        given.Clear();
        Assert.Equal(0, Call(0, 1));

        int Call(int shard, int rows)
        {
            var route = near.Pick(shard, 0, given)!.Value;
            given.Give(route, rows);
            return route.Replica;
        }

        static NodeProtocol.HeldShard On(string address, int shard, int replica)
        {
            var node = new NodeId(address, address == "here:1" ? 9 : 1);
            return new(1, new(shard, replica, 0, 1, new(node, "cpu:0"), 0, 1), new LaneTarget(node, "x", 1), 0, 0, null);
        }
    }
}
