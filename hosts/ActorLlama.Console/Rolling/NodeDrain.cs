using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Waits for a node that is drained.</summary>
internal static class NodeDrain
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    /// <summary>Returns when it holds nothing. Throws <see cref="InvalidDataException"/> when that takes longer than <paramref name="within"/>, or the cluster cannot serve meanwhile.</summary>
    public static async Task WaitAsync(ClusterConnection connection, string node, TimeSpan within, Action<string> tell, CancellationToken cancellation)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(within);
        var told = "";
        try
        {
            while (await connection.GetStatusAsync(s_answer, bound.Token) is var status && !IsEmpty(status, node))
            {
                if (status.State == ClusterState.Degraded) throw new InvalidDataException($"Drain: the cluster is Degraded: {status.Reason}");
                var news = $"{status.State}: {status.Reason}";
                if (news != told) tell(news);
                told = news;
                await Task.Delay(s_look, bound.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidDataException($"Drain: node \"{node}\" still holds something after {within.TotalSeconds:0} s: {told}. Wait longer with --within, or give up with --undo.");
        }
    }

    private static bool IsEmpty(ClusterProtocol.Status status, string node) =>
        status.State == ClusterState.Ready
        && status.Nodes.Where(o => o.IsCalled(node))
            .All(o => o is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 });
}
