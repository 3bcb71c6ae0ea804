using ActorLlama.Client;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Waits for a node that joins, and has it get its share.</summary>
internal static class NodeAdd
{
    /// <summary>
    /// Returns when the node is a member and what is worth moving has moved. Throws <see cref="InvalidDataException"/> when that takes longer than <paramref name="within"/>, or the
    /// cluster cannot serve meanwhile.
    /// </summary>
    public static async Task<ClusterProtocol.Rebalanced> RunAsync(ClusterConnection connection, string node, TimeSpan within, Action<string> tell, CancellationToken cancellation)
    {
        await JoinedAsync(connection, node, within, tell, cancellation);
        var epoch = (await connection.GetStatusAsync(ClusterWait.Answer, cancellation)).Plan.Epoch;
        var answer = await connection.RebalanceAsync(dryRun: false, ClusterWait.Answer, cancellation);
        if (answer.Refusal is { } why) throw new InvalidDataException(why);
        foreach (var move in MovesText.Of(answer.Moves)) tell(move);
        if (!answer.Moves.IsEmpty)
            await ClusterWait.UntilAsync(
                connection, "Add", status => status.State == ClusterState.Ready && status.Plan.Epoch > epoch, within,
                told => $"not all has moved after {within.TotalSeconds:0} s: {told}. It goes on; look at it with cluster status.", tell, cancellation);
        return answer;
    }

    /// <summary>Returns when the node is a member that may hold parts, and the cluster is ready to move some.</summary>
    public static Task JoinedAsync(ClusterConnection connection, string node, TimeSpan within, Action<string> tell, CancellationToken cancellation) => ClusterWait.UntilAsync(
        connection, "Add", status => status.State == ClusterState.Ready && Find(status, node) is { IsLeaving: false }, within,
        told => $"node \"{node}\" is not there after {within.TotalSeconds:0} s ({told}). Start it with cluster.seeds that name a node of this cluster, and look at its log.", tell, cancellation);

    /// <summary>What the node holds, in words.</summary>
    public static string Holds(ClusterProtocol.Status status, string node)
    {
        var bytes = Find(status, node)?.LoadedBytes() ?? 0;
        return bytes == 0 ? $"{node} holds nothing: none of the parts is worth moving. It takes over from nodes that are lost." : $"{node} holds {ByteText.Of(bytes)} and serves";
    }

    private static NodeProtocol.Offer? Find(ClusterProtocol.Status status, string node) => status.Nodes.FirstOrDefault(o => o.IsCalled(node));
}
