using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>What a decoded token sends between nodes.</summary>
internal static class WireTraffic
{
    private const int TokenIdBytes = 4;

    /// <summary>Payload bytes and messages, experts chosen equally often, the mean over pipelines. A local replica is used where there is one.</summary>
    public static (double Bytes, double Messages) PerToken(ModelShape shape, PlacementPlan plan)
    {
        var pipelines = plan.Stages.GroupBy(s => s.Pipeline).Select(mine => OfPipeline(shape, plan, [.. mine.OrderBy(s => s.Index)])).ToArray();
        return (pipelines.Average(p => p.Bytes), pipelines.Average(p => p.Messages));
    }

    private static (double Bytes, double Messages) OfPipeline(ModelShape shape, PlacementPlan plan, StagePlacement[] stages)
    {
        var rowBytes = (double)shape.HiddenSize * shape.ActivationBytes;
        double bytes = 0, messages = 0;
        foreach (var stage in stages)
        {
            var moeLayers = Enumerable.Range(stage.FirstLayer, stage.Layers).Count(i => shape.Layers[i].IsMoe);
            var (rows, calls) = RemoteCalls(shape, plan, stage.Device.Node);
            bytes += 2 * rowBytes * rows * moeLayers;
            messages += 2 * calls * moeLayers;
        }

        foreach (var (from, to) in stages.Zip(stages.Skip(1)).Where(hop => hop.First.Device.Node != hop.Second.Device.Node))
        {
            bytes += rowBytes;
            messages++;
        }

        if (stages[^1].Device.Node == stages[0].Device.Node) return (bytes, messages);
        return (bytes + TokenIdBytes, messages + 1);
    }

    /// <summary>Per MoE layer and token: rows that leave the node, and expert shards called on others.</summary>
    private static (double Rows, double Calls) RemoteCalls(ModelShape shape, PlacementPlan plan, NodeId node)
    {
        double rows = 0, calls = 0;
        foreach (var replicas in plan.Shards.GroupBy(s => s.Shard).Where(shard => shard.All(r => r.Device.Node != node)))
        {
            var experts = replicas.First().Experts;
            rows += shape.ExpertsPerToken * (double)experts / shape.Experts;
            calls += 1 - ChanceOfNone(shape.Experts, experts, shape.ExpertsPerToken);
        }

        return (rows, calls);
    }

    /// <summary>That none of <paramref name="chosen"/> different experts is among <paramref name="held"/> of <paramref name="experts"/>.</summary>
    private static double ChanceOfNone(int experts, int held, int chosen)
    {
        var chance = 1.0;
        for (var i = 0; i < chosen; i++) chance *= Math.Max(0, experts - held - i) / (double)(experts - i);
        return chance;
    }
}
