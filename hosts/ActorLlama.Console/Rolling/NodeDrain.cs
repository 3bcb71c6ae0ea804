using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Waits for a node that is drained.</summary>
internal static class NodeDrain
{
    /// <summary>Returns when it holds nothing. Throws <see cref="InvalidDataException"/> when that takes longer than <paramref name="within"/>, or the cluster cannot serve meanwhile.</summary>
    public static Task WaitAsync(ClusterConnection connection, string node, TimeSpan within, Action<string> tell, CancellationToken cancellation) => ClusterWait.UntilAsync(
        connection, "Drain", status => IsEmpty(status, node), within,
        told => $"node \"{node}\" still holds something after {within.TotalSeconds:0} s: {told}. Wait longer with --within, or give up with --undo.", tell, cancellation);

    private static bool IsEmpty(ClusterProtocol.Status status, string node) =>
        status.State == ClusterState.Ready
        && status.Nodes.Where(o => o.IsCalled(node))
            .All(o => o is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 });
}
