using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>What has happened to a cluster: the last of it.</summary>
public static class EventHistory
{
    /// <summary>So many events are kept.</summary>
    public const int Most = 256;

    /// <summary>Both, each event once, by time; events of one time keep their order.</summary>
    public static ImmutableArray<ClusterProtocol.Event> Merge(ImmutableArray<ClusterProtocol.Event> known, ImmutableArray<ClusterProtocol.Event> told) =>
        [.. known.Concat(told).Distinct().OrderBy(e => e.UtcMs).TakeLast(Most)];
}
