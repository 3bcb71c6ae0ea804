using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Has a node emptied, and waits for it.</summary>
internal static class NodeDrain
{
    /// <summary>Asks that the node be emptied, or may hold parts again. Throws <see cref="InvalidDataException"/> with the reason when that is refused.</summary>
    public static async Task AskAsync(ClusterConnection connection, string node, bool undo, CancellationToken cancellation)
    {
        if ((await connection.DrainAsync(new(node, undo, DryRun: false), ClusterWait.Answer, cancellation)).Refusal is { } why) throw new InvalidDataException(why);
    }

    /// <summary>Returns when it holds nothing. Throws <see cref="InvalidDataException"/> when that takes longer than <paramref name="within"/>, or the cluster cannot serve meanwhile.</summary>
    public static Task WaitAsync(ClusterConnection connection, string node, TimeSpan within, Action<string> tell, CancellationToken cancellation) => ClusterWait.UntilAsync(
        connection, "Drain", status => IsEmpty(status, node), within,
        told => $"node \"{node}\" still holds something after {within.TotalSeconds:0} s: {told}. Wait longer with --within, or give up with --undo.", tell, cancellation);

    private static bool IsEmpty(ClusterProtocol.Status status, string node) =>
        status.State == ClusterState.Ready
        && status.Nodes.Where(o => o.IsCalled(node))
            .All(o => o is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 });
}
