using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>All that a supervisor knows. Begins with <see cref="Start"/>; changed by <see cref="SupervisorRules.Step"/> only.</summary>
public sealed record SupervisorState
{
    private SupervisorState(SupervisorOptions options, long startedMs) => (Options, StartedMs) = (options, startedMs);

    public static SupervisorState Start(SupervisorOptions options, long nowMs) => new(options, nowMs);

    public SupervisorOptions Options { get; }

    public ClusterState State { get; internal init; } = ClusterState.Forming;

    public string Reason { get; internal init; } = "no node has offered itself yet";

    /// <summary>The plan that is assigned; while none fits, what is still held of the last one.</summary>
    public PlacementPlan Plan { get; internal init; } = PlacementPlan.Empty;

    /// <summary>The plan that takes over when all it moves is loaded; null when nothing moves. <see cref="Plan"/> holds both meanwhile.</summary>
    internal PlacementPlan? Target { get; init; }

    /// <summary>Latest offers of members that agree on the model, by name.</summary>
    public ImmutableArray<NodeProtocol.Offer> Nodes =>
        [.. Offers.Values
            .OrderBy(o => o.Name, StringComparer.Ordinal)
            .ThenBy(o => o.Node.Address, StringComparer.Ordinal)
            .ThenBy(o => o.Node.Uid)];

    internal long StartedMs { get; }

    internal ImmutableHashSet<NodeId> Members { get; init; } = [];

    internal ImmutableHashSet<NodeId> Lost { get; init; } = [];

    /// <summary>Members whose processes are gone.</summary>
    internal ImmutableHashSet<NodeId> Gone { get; init; } = [];

    internal ImmutableDictionary<NodeId, NodeProtocol.Offer> Offers { get; init; } = ImmutableDictionary<NodeId, NodeProtocol.Offer>.Empty;

    /// <summary>Offers of nodes whose membership is not known yet.</summary>
    internal ImmutableDictionary<NodeId, NodeProtocol.Offer> Early { get; init; } = ImmutableDictionary<NodeId, NodeProtocol.Offer>.Empty;

    /// <summary>Devices that could not hold what they were given, and why: not planned with while their node lives, or until they say that they are fit again.</summary>
    internal ImmutableDictionary<DeviceId, string> Unfit { get; init; } = ImmutableDictionary<DeviceId, string>.Empty;

    /// <summary>How often <see cref="Unfit"/> devices were tried again since the cluster was ready, for want of others, and when they may be once more.</summary>
    internal int Tries { get; init; }

    internal long TryAfterMs { get; init; }

    /// <summary>Members whose lanes stand still: not planned with meanwhile.</summary>
    internal ImmutableHashSet<NodeId> CutOff { get; init; } = [];

    /// <summary>How busy the experts are.</summary>
    internal ExpertLoads Loads { get; init; } = ExpertLoads.None;

    /// <summary>When it was last looked whether busy shards need more replicas.</summary>
    internal long ReplicatedMs { get; init; }

    internal ImmutableDictionary<NodeId, string> Refused { get; init; } = ImmutableDictionary<NodeId, string>.Empty;

    /// <summary>The first accepted offer: it says what model this cluster serves.</summary>
    internal NodeProtocol.Offer? Agreed { get; init; }

    /// <summary>The highest epoch seen or given.</summary>
    internal long HighestEpoch { get; init; }

    /// <summary>True once this supervisor has planned, well or not.</summary>
    internal bool IsFormed { get; init; }

    /// <summary>Why the last planning found no plan, or null.</summary>
    internal string? PlanFailure { get; init; }

    /// <summary>What made the last planning necessary.</summary>
    public string Cause { get; internal init; } = "";

    internal NodeProtocol.Routes? Routes { get; init; }

    internal long RoutedMs { get; init; }

    internal long ServedMs { get; init; }

    internal ImmutableDictionary<NodeId, long> AssignedMs { get; init; } = ImmutableDictionary<NodeId, long>.Empty;

    /// <summary>All devices that work, those that leave too.</summary>
    public ImmutableArray<PlannedDevice> Devices => Working(Nodes);

    /// <summary>Of the devices of these offers those that work.</summary>
    internal ImmutableArray<PlannedDevice> Working(IEnumerable<NodeProtocol.Offer> offers) =>
        [.. offers.SelectMany(OfferedDevices.Of).Where(d => !Unfit.ContainsKey(d.Id) && !CutOff.Contains(d.Id.Node))];
}
