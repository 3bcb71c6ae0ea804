using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Checkpoints.Testing;
using ActorLlama.Model;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary>A copy of a checkpoint for each node of a plan, NaN in everything that the plan gives to another node: who reads it is found out.</summary>
internal static class PoisonedCopies
{
    /// <summary>Budget that makes the plan here and in the cluster the same.</summary>
    public const string Memory = "actorllama.node.device-defaults.memory=1GiB";

    /// <summary>The plan that nodes "node-1", "node-2", … with one device each make.</summary>
    public static PlacementPlan Plan(string model, int nodes, int stages, int shards)
    {
        using var checkpoint = CheckpointDirectory.Open(model);
        var shape = ModelShapes.Of(checkpoint, ActivationType.Float32);
        var devices = Enumerable.Range(1, nodes)
            .Select(i => new PlannedDevice(new DeviceId(new NodeId($"akka.tcp://actorllama@127.0.0.1:{i}", i), "cpu:0"), $"node-{i}", "127.0.0.1", 1L << 30, true, true));
        var result = PlacementRules.Plan(shape, [.. devices], new PlanOptions(Stages: stages, ExpertShards: shards), PlacementPlan.Empty, 1);
        return Assert.IsType<PlacementResult.Placed>(result).Plan;
    }

    /// <summary>Checkpoint folders by node number from 0.</summary>
    public static ImmutableDictionary<int, string> Write(string model, PlacementPlan plan, int nodes, TemporaryFolder folder) =>
        Enumerable.Range(0, nodes).ToImmutableDictionary(node => node, node =>
        {
            var copy = folder.PathOf($"node-{node + 1}");
            CheckpointCopy.WithPoison(model, copy, (name, expert) => IsOf(plan, node + 1, name, expert));
            return copy;
        });

    /// <summary>What a plan gives to each node, by its name and without addresses.</summary>
    public static string[] Parts(PlacementPlan plan, Func<NodeId, string> nameOf) =>
    [
        .. plan.Stages.Select(s => $"{nameOf(s.Device.Node)} layers {s.FirstLayer}+{s.Layers}"),
        .. plan.Shards.Select(s => $"{nameOf(s.Device.Node)} experts {s.FirstExpert}+{s.Experts}"),
    ];

    public static string NameOf(NodeId node) => $"node-{node.Uid}";

    private static bool IsOf(PlacementPlan plan, int node, string name, long? expert)
    {
        if (expert is { } e) return plan.Shards.Any(s => s.Device.Node.Uid == node && e >= s.FirstExpert && e < s.FirstExpert + s.Experts);
        var mine = plan.Stages.Where(s => s.Device.Node.Uid == node);
        var last = plan.Stages.Max(s => s.Index);
        return name switch
        {
            ParameterNames.Embed => mine.Any(s => s.Index == 0),
            ParameterNames.FinalNorm or ParameterNames.LmHead => mine.Any(s => s.Index == last),
            _ => mine.Any(s => Enumerable.Range(s.FirstLayer, s.Layers).Any(l => name.StartsWith($"text.layers.{l}.", StringComparison.Ordinal))),
        };
    }
}
