using ActorLlama.Planning.Placement;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// How a supervisor acts; times in milliseconds. <paramref name="ExpectedNodes"/>: offers that a new cluster waits for.
/// <paramref name="FormationTimeoutMs"/>: how long a supervisor waits for the offers of members before it plans without them.
/// <paramref name="ResendMs"/>: least time between two sendings of what is not acknowledged. <paramref name="RoutesEveryMs"/>: time after which
/// unchanged routes are sent again, since nothing acknowledges them.
/// </summary>
public sealed record SupervisorOptions(
    PlanOptions Plan,
    int ExpectedNodes,
    long FormationTimeoutMs = 15_000,
    long ResendMs = 300,
    long RoutesEveryMs = 1_000)
{
    /// <summary>Replicas of an expert shard at most, when its experts are busier than others and memory is spare; what <see cref="PlanOptions.Replicas"/> says or less: no more than that.</summary>
    public int MaxReplicas { get; init; } = 1;

    /// <summary>How often replicas are given to busy shards without anybody's asking; null: never.</summary>
    public long? ReplicateEveryMs { get; init; }

    /// <summary>How long the rows that experts computed are remembered: see <see cref="ExpertLoads"/>.</summary>
    public long LoadMemoryMs { get; init; } = 60_000;

    /// <summary>How soon devices that failed are tried once more after that, while there is no plan without them; each time twice as long, up to a minute.</summary>
    public long TryAgainMs { get; init; } = 1_000;

    /// <summary>False: the cluster only trains; its plans connect its nodes and place nothing.</summary>
    public bool Serves { get; init; } = true;
}
