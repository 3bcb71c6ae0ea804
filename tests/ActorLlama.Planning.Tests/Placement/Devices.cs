using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Placement;

/// <summary>Devices for plans: nodes "n1", "n2", … each with one or more devices, on hosts of one or more nodes.</summary>
internal static class Devices
{
    public const long GiB = 1L << 30;

    public static NodeId Node(int number) => new($"akka.tcp://actorllama@10.0.0.{number}:4053", 1000 + number);

    public static PlannedDevice Device(int node, int device, long bytes, int? host = null, bool trunk = true, bool experts = true) =>
        new(new DeviceId(Node(node), $"cuda:{device}"), $"n{node}", $"host{host ?? node}", bytes, trunk, experts);

    /// <summary>One device per node.</summary>
    public static ImmutableArray<PlannedDevice> Nodes(int nodes, long bytes, int nodesPerHost = 1) =>
        [.. Enumerable.Range(1, nodes).Select(n => Device(n, 0, bytes, host: (n - 1) / nodesPerHost))];

    /// <summary>Nodes of eight devices at most.</summary>
    public static ImmutableArray<PlannedDevice> Gpus(int devices, long bytes) =>
        [.. Enumerable.Range(0, devices).Select(d => Device(1 + (d / 8), d % 8, bytes))];
}
