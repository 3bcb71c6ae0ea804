using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Nodes whose lanes stand still though their processes live: a majority of the others has none with them.</summary>
internal static class LaneRules
{
    public static ImmutableHashSet<NodeId> CutOff(SupervisorState state)
    {
        var offers = state.Offers.Values.ToArray();
        return [.. offers.Select(o => o.Node).Where(node => offers.Count(o => o.Node != node && o.LanesLost is { } lost && lost.Contains(node)) * 2 > offers.Length - 1)];
    }
}
