using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Waits until a cluster has done what it was asked for, and tells what it is at.</summary>
internal static class ClusterWait
{
    /// <summary>How long a question may take.</summary>
    public static readonly TimeSpan Answer = TimeSpan.FromSeconds(10);

    /// <summary>Between two looks at a cluster.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Returns when <paramref name="isDone"/>. Throws <see cref="InvalidDataException"/> when the cluster cannot serve meanwhile, or when it takes longer than
    /// <paramref name="within"/>: what <paramref name="tooLong"/> makes of what the cluster was last at.
    /// </summary>
    public static async Task UntilAsync(
        ClusterConnection connection, string verb, Func<ClusterProtocol.Status, bool> isDone, TimeSpan within, Func<string, string> tooLong, Action<string> tell, CancellationToken cancellation)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(within);
        var told = "";
        try
        {
            while (await connection.GetStatusAsync(Answer, bound.Token) is var status && !isDone(status))
            {
                if (status.State == ClusterState.Degraded) throw new InvalidDataException($"{verb}: the cluster is Degraded: {status.Reason}");
                var news = $"{status.State}: {status.Reason}";
                if (news != told) tell(news);
                told = news;
                await Task.Delay(Look, bound.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidDataException($"{verb}: {tooLong(told)}");
        }
    }
}
