using ActorLlama.Checkpoints;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>Tells how far a cluster's loading is, once it takes longer than a moment.</summary>
internal sealed class LoadingReport(Action<string, WriteProgress> report, TimeProvider time)
{
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(1);
    private long? _began;
    private bool _told;

    /// <summary>Takes note of a status; call with every one.</summary>
    public void Note(ClusterProtocol.Status status)
    {
        if (status.State is not (ClusterState.Loading or ClusterState.Ready)) return;
        _began ??= time.GetTimestamp();
        var isLoading = status.State == ClusterState.Loading;
        if (isLoading ? time.GetElapsedTime(_began.Value) < s_moment : !_told) return;
        var (loaded, total) = LoadProgress.Of(status.Plan, status.Nodes);
        report("loading", new WriteProgress(isLoading ? loaded : total, total));
        _told = isLoading;
    }
}
