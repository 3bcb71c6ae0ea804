using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>Which pipeline's scheduler a session submits to.</summary>
public static class SchedulerChoice
{
    /// <summary>
    /// The scheduler the session has, as long as it is there, whatever the cluster's state: a lost expert shard is no reason to leave. Else,
    /// when the cluster serves, one of those that are there, spread over sessions by their id. Null: none is ready.
    /// </summary>
    public static LaneTarget? Choose(NodeProtocol.Routes routes, SessionId session, LaneTarget? current)
    {
        var schedulers = routes.Stages
            .Where(s => s.Scheduler is not null && s.Fault is null)
            .OrderBy(s => s.Placement.Pipeline)
            .Select(s => s.Scheduler!.Value)
            .ToList();
        if (current is { } kept && schedulers.Contains(kept))
            return kept;
        return schedulers.Count == 0 || routes.State is not (ClusterState.Ready or ClusterState.Rebalancing)
            ? null
            : schedulers[(int)(Hash(session.Value) % (uint)schedulers.Count)];
    }

    /// <summary>FNV-1a over UTF-16: the same in every process.</summary>
    private static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
            hash = (hash ^ c) * 16777619u;
        return hash;
    }
}
