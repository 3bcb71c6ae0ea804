using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Two nodes more, then as few as two, the old ones going first, and back to as many as there were.</summary>
internal sealed class ChaosScaling(LocalCluster cluster, ClusterConnection connection, Action<string> tell)
{
    private const int Fewest = 2;
    private const int More = 2;

    /// <summary>Of what has to be loaded at least, this may be.</summary>
    private const double Slack = 1.2;

    private static readonly TimeSpan s_within = TimeSpan.FromSeconds(60);

    /// <summary>Each move of too many bytes, in words.</summary>
    public async Task<ImmutableArray<string>> RunAsync(CancellationToken cancellation)
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        var size = cluster.Nodes.Count;
        for (var i = 0; i < More; i++) faults.AddRange(await AddAsync(cancellation));
        while (cluster.Nodes.Count > Fewest) faults.AddRange(await RemoveAsync(cluster.Nodes[0], cancellation));
        while (cluster.Nodes.Count < size) faults.AddRange(await AddAsync(cancellation));
        return faults.ToImmutable();
    }

    private async Task<IEnumerable<string>> AddAsync(CancellationToken cancellation)
    {
        var node = await cluster.GrowAsync(cancellation);
        var before = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        var answer = await NodeAdd.RunAsync(connection, node.Name, s_within, _ => { }, cancellation);
        return await JudgeAsync($"{node.Name} added", before, answer.Moves.Sum(m => m.Bytes), cancellation);
    }

    private async Task<IEnumerable<string>> RemoveAsync(LocalNode node, CancellationToken cancellation)
    {
        var before = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        await NodeDrain.AskAsync(connection, node.Name, undo: false, cancellation);
        await NodeDrain.WaitAsync(connection, node.Name, s_within, _ => { }, cancellation);
        var least = Parts(before).Where(p => p.Node.Name == node.Name).Sum(p => p.Bytes);
        var faults = await JudgeAsync($"{node.Name} drained", before, least, cancellation);
        await cluster.RemoveAsync(node);
        await ClusterWait.UntilAsync(
            connection, "Scale", status => status.State == ClusterState.Ready && status.Nodes.Length == cluster.Nodes.Count, s_within,
            told => $"{node.Name} was stopped and is not gone after {s_within.TotalSeconds:0} s: {told}", _ => { }, cancellation);
        return faults;
    }

    /// <summary>What is loaded now where it was not before, by what nodes count, against the least.</summary>
    private async Task<IEnumerable<string>> JudgeAsync(string what, ClusterProtocol.Status before, long least, CancellationToken cancellation)
    {
        var known = Parts(before).Select(p => (p.Node.Node, p.Part)).ToHashSet();
        var after = await connection.GetStatusAsync(ClusterWait.Answer, cancellation);
        // All that it held is loaded elsewhere, for a reason that is not this one's.
        if (before.Nodes.FirstOrDefault(n => !after.Nodes.Any(a => a.Node == n.Node)) is { } lost) return [$"{what}: meanwhile {lost.Name} was lost"];
        var loaded = Parts(after).Where(p => !known.Contains((p.Node.Node, p.Part))).Sum(p => p.Bytes);
        tell($"{what}: {ByteText.Of(loaded)} loaded, {ByteText.Of(least)} at least");
        return loaded > least * Slack ? [$"{what}: {ByteText.Of(loaded)} were loaded, above {Slack} times the least, {ByteText.Of(least)}"] : [];
    }

    private static IEnumerable<(NodeProtocol.Offer Node, string Part, long Bytes)> Parts(ClusterProtocol.Status status) => status.Nodes.SelectMany(n =>
        n.Stages.Select(s => (n, $"layers {s.Placement.Pipeline} {s.Placement.FirstLayer} {s.Placement.Layers}", s.LoadedBytes))
            .Concat(n.Shards.Select(s => (n, $"experts {s.Placement.FirstExpert} {s.Placement.Experts}", s.LoadedBytes))));
}
