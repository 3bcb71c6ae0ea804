using System.Collections.Immutable;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

public sealed class ExpertLoadsTests
{
    private const long Memory = 1000;
    private static readonly NodeId s_node = Devices.Node(1);

    [Fact]
    public void Rows_count_from_the_second_offer_on_by_expert_over_all_layers_and_replicas()
    {
        var loads = ExpertLoads.None.With(Offer(Held(0, 0, 0, 2, [5, 6, 7, 8])), 0, Memory);
        Assert.Equal(0, loads.Total);
        loads = loads.With(Offer(Held(0, 0, 0, 2, [6, 6, 9, 8]), Held(1, 0, 2, 2, [100, 0, 0, 0])), 0, Memory);
        Assert.Equal([3.0, 0, 0, 0], Enumerable.Range(0, 4).Select(loads.Of));
        loads = loads.With(Offer(Held(0, 0, 0, 2, [6, 6, 9, 9]), Held(1, 0, 2, 2, [100, 0, 10, 0])), 0, Memory);
        Assert.Equal([3.0, 1, 10, 0], Enumerable.Range(0, 4).Select(loads.Of));
        Assert.Equal(14, loads.Total);
    }

    [Fact]
    public void What_lies_back_counts_ever_less()
    {
        var loads = ExpertLoads.None.With(Offer(Held(0, 0, 0, 1, [0])), 0, Memory).With(Offer(Held(0, 0, 0, 1, [100])), 0, Memory);
        loads = loads.With(Offer(Held(0, 0, 0, 1, [100])), 1000, Memory);
        Assert.Equal(100 / Math.E, loads.Of(0), 9);
        loads = loads.With(Offer(Held(0, 0, 0, 1, [150])), 2000, Memory);
        Assert.Equal((100 / Math.E / Math.E) + 50, loads.Of(0), 9);
    }

    [Fact]
    public void A_replica_that_begins_anew_or_elsewhere_begins_at_its_first_offer()
    {
        var loads = ExpertLoads.None.With(Offer(Held(0, 0, 0, 1, [0])), 0, Memory).With(Offer(Held(0, 0, 0, 1, [100])), 0, Memory);
        Assert.Equal(100, loads.With(Offer(Held(0, 0, 0, 1, [40])), 0, Memory).Of(0));
        Assert.Equal(160, loads.With(Offer(Held(0, 0, 0, 1, [40])), 0, Memory).With(Offer(Held(0, 0, 0, 1, [100])), 0, Memory).Of(0));
        Assert.Equal(100, loads.With(Offer(), 0, Memory).With(Offer(Held(0, 0, 0, 1, [900])), 0, Memory).Of(0));
        Assert.Equal(100, loads.Without(s_node).With(Offer(Held(0, 0, 0, 1, [900])), 0, Memory).Of(0));
    }

    [Fact]
    public void Where_experts_are_not_counted_one_by_one_they_share_what_the_replica_computed()
    {
        var held = Held(0, 0, 4, 4, []);
        var loads = ExpertLoads.None.With(Offer(held), 0, Memory).With(Offer(held with { Shard = held.Shard with { RowsComputed = 40 } }), 0, Memory);
        Assert.Equal([10.0, 10, 10, 10], Enumerable.Range(4, 4).Select(loads.Of));
        Assert.Equal(40, loads.Of(held.Shard.Placement));
    }

    private static (NodeProtocol.HeldShard Shard, NodeProtocol.ExpertRows Rows) Held(int shard, int replica, int first, int experts, ImmutableArray<long> rows) => (
        new(1, new(shard, replica, first, experts, new(s_node, "cpu:0"), 0, 1), null, 0, 0, null), new(shard, replica, rows));

    private static NodeProtocol.Offer Offer(params (NodeProtocol.HeldShard Shard, NodeProtocol.ExpertRows Rows)[] held) =>
        new SimulatedNode(s_node, "n1", Shapes.Tiny(1, 1), 1).Offer() with { Shards = [.. held.Select(h => h.Shard)], ExpertRows = [.. held.Select(h => h.Rows)] };
}
