using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Saving;

/// <summary>A ready cluster of three nodes: two pipelines of two stages, three shards of which one has two replicas, plan epoch 7.</summary>
internal static class SavePlans
{
    public static NodeId Node(int number) => new($"akka.tcp://actorllama@10.0.0.{number}:4053", number);

    public static string NameOf(NodeId node) => $"node-{node.Uid}";

    public static ClusterProtocol.Status Status()
    {
        ImmutableArray<StagePlacement> stages =
        [
            new(0, 0, 0, 4, Device(1), 30, 0), new(0, 1, 4, 4, Device(2), 30, 0), new(1, 0, 0, 4, Device(2), 30, 0), new(1, 1, 4, 4, Device(3), 30, 0),
        ];
        ImmutableArray<ShardPlacement> shards = [new(0, 0, 0, 2, Device(1), 30, 7), new(1, 0, 2, 2, Device(2), 30, 7), new(1, 1, 2, 2, Device(1), 30, 7), new(2, 0, 4, 2, Device(3), 30, 7)];
        return new(
            ClusterState.Ready, "", new PlacementPlan(7, stages, shards, 3, [7, 7]), [Offer(1), Offer(2), Offer(3)], Node(1));
    }

    private static DeviceId Device(int node) => new(Node(node), "cpu:0");

    private static NodeProtocol.Offer Offer(int node) => new(
        Node(node), NameOf(Node(node)), [], [], new LaneEndpoint("127.0.0.1", 1), new NodeProtocol.ModelIdentity(1, "", ""),
        new ModelShape("m", 8, 8, 8, 6, 1, 0, 0, 0, 4, []), 7, [], [], new NodeProtocol.NodeCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), [], []);
}
