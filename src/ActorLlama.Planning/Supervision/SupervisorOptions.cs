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
    /// <summary>False: the cluster only trains; its plans connect its nodes and place nothing.</summary>
    public bool Serves { get; init; } = true;
}
