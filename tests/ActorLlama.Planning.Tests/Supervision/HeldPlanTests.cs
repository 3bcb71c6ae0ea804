using System.Collections.Immutable;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

public sealed class HeldPlanTests
{
    private static readonly NodeProtocol.Offer Nothing =
        new SimulatedNode(new NodeId("akka.tcp://actorllama@10.0.0.1:4053", 1), "n1", Shapes.Tiny(4, 4), 1_000).Offer();

    private static DeviceId DeviceOf(int node) => new(Devices.Node(node), "cpu:0");

    private static NodeProtocol.HeldStage Stage(int node, int pipeline, int index, long epoch, string? fault = null) =>
        new(epoch, new StagePlacement(pipeline, index, index * 2, 2, DeviceOf(node), 10, 1), null, null, 0, fault);

    private static NodeProtocol.HeldShard Shard(int node, int shard, long epoch, string? fault = null) =>
        new(epoch, new ShardPlacement(shard, 0, shard, 1, DeviceOf(node), 10, 1), null, 0, 0, fault);

    private static PlacementPlan From(params (int Node, NodeProtocol.HeldStage[] Stages, NodeProtocol.HeldShard[] Shards)[] nodes) =>
        HeldPlan.From([.. nodes.Select(n => Nothing with
        {
            Node = Devices.Node(n.Node),
            Stages = n.Stages.ToImmutableArray(),
            Shards = n.Shards.ToImmutableArray(),
        })], 9);

    [Fact]
    public void The_later_of_two_holders_of_a_shard_has_it()
    {
        foreach (var (first, second) in new[] { (3, 5), (5, 3) })
        {
            var held = Assert.Single(From((1, [], [Shard(1, 0, first)]), (2, [], [Shard(2, 0, second)])).Shards);
            Assert.Equal((DeviceOf(first > second ? 1 : 2), 5), (held.Device, held.Epoch));
        }
    }

    [Fact]
    public void Only_the_stages_of_a_pipelines_latest_epoch_belong_to_it()
    {
        var plan = From((1, [Stage(1, 1, 0, 2), Stage(1, 1, 1, 2)], []), (2, [Stage(2, 1, 0, 4)], []));
        Assert.Equal((1, 0, DeviceOf(2)), (plan.Stages.Single().Pipeline, plan.Stages.Single().Index, plan.Stages.Single().Device));
        Assert.Equal([0, 4], plan.PipelineEpochs.AsEnumerable());
        Assert.Equal(9, plan.Epoch);
    }

    [Fact]
    public void What_failed_to_load_or_is_claimed_for_another_node_is_not_held()
    {
        var plan = From((1, [Stage(1, 0, 0, 2, "disk"), Stage(2, 0, 1, 2)], [Shard(1, 0, 2, "disk"), Shard(2, 1, 2)]));
        Assert.Empty(plan.Stages);
        Assert.Empty(plan.Shards);
        Assert.Equal(0, plan.ExpertShards);
    }
}
