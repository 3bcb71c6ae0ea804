using ActorLlama.Protocol;

namespace ActorLlama.Planning.Sessions;

/// <summary>Which pipeline's scheduler a session submits to.</summary>
public static class SchedulerChoice
{
    /// <summary>
    /// The scheduler the session has, as long as it is there, whatever the cluster's state: a lost expert shard is no reason to leave. Else,
    /// when the cluster serves, the least loaded of those that are there; of equally loaded ones one by the session's id. Null: none is ready.
    /// </summary>
    /// <param name="routes">What is there.</param>
    /// <param name="session">The session.</param>
    /// <param name="current">The scheduler it has, or null.</param>
    /// <param name="load">How many sequences a pipeline has.</param>
    public static LaneTarget? Choose(NodeProtocol.Routes routes, SessionId session, LaneTarget? current, Func<int, int> load) =>
        Choose(routes, session, current, load, _ => false)?.Scheduler;

    /// <summary>Another scheduler than those that said they are busy, or null.</summary>
    public static LaneTarget? Other(NodeProtocol.Routes routes, SessionId session, IReadOnlySet<LaneTarget> busy, Func<int, int> load) =>
        Choose(routes, session, null, load, s => busy.Contains(s.Scheduler!.Value))?.Scheduler;

    /// <summary>The pipeline of a scheduler, or null when it is no longer there.</summary>
    public static int? PipelineOf(NodeProtocol.Routes routes, LaneTarget scheduler) =>
        routes.Stages.FirstOrDefault(s => s.Scheduler == scheduler)?.Placement.Pipeline;

    private static NodeProtocol.HeldStage? Choose(
        NodeProtocol.Routes routes, SessionId session, LaneTarget? current, Func<int, int> load, Func<NodeProtocol.HeldStage, bool> isExcluded)
    {
        var there = routes.Stages.Where(s => s.Scheduler is not null && s.Fault is null && !isExcluded(s)).OrderBy(s => s.Placement.Pipeline).ToList();
        if (current is { } kept && there.Find(s => s.Scheduler == kept) is { } own)
            return own;
        if (there.Count == 0 || routes.State is not (ClusterState.Ready or ClusterState.Rebalancing))
            return null;
        var first = (int)(Hash(session.Value) % (uint)there.Count);
        return there.Index().MinBy(s => (load(s.Item.Placement.Pipeline), (s.Index + there.Count - first) % there.Count)).Item;
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
