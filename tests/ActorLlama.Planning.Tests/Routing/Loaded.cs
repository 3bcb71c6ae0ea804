using ActorLlama.Planning.Routing;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Routing;

/// <summary>Routes in which given replicas of expert shards are loaded.</summary>
internal static class Loaded
{
    public static NodeId Node(int number) => new($"n{number}:1", number);

    public static LaneTarget Target(int node, int shard, int replica, long epoch = 1) =>
        new(Node(node), $"/user/node/expert-{shard}-{replica}", epoch);

    /// <summary>Experts of each shard.</summary>
    public const int Experts = 2;

    public static NodeProtocol.HeldShard Shard(int node, int shard, int replica, long epoch = 1) => new(
        epoch, new(shard, replica, Experts * shard, Experts, new(Node(node), "cpu:0"), 0, 1), Target(node, shard, replica, epoch), 0, 0, null);

    /// <summary>The same, on a device that tells whether it is at work.</summary>
    public static NodeProtocol.HeldShard OnDevice(this NodeProtocol.HeldShard shard) => shard with { Device = Device(shard.Placement.Device.Node) };

    public static LaneTarget Device(NodeId node) => new(node, "/user/node/device-0", 1);

    /// <summary>The replica to call for rows of any of the shard's experts.</summary>
    public static Route? Pick(this RouteTable table, int shard, long now, DeviceRows? given = null) => table.Pick(new ShardGroup(shard, [], []), now, given);

    public static NodeProtocol.Routes Routes(long version, params NodeProtocol.HeldShard[] shards) =>
        new(1, version, ClusterState.Ready, "", [], [.. shards], []);
}
