using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>The state that follows from what is planned and held, in words.</summary>
internal static class SupervisorReasons
{
    public static (ClusterState State, string Reason) Of(SupervisorState state)
    {
        if (!state.IsFormed) return (ClusterState.Forming, Forming(state));
        if (state.PlanFailure is { } failure) return (ClusterState.Degraded, $"{failure} Planned because {state.Cause}.");
        if (state.Target is not null && HeldUnits.Serve(state)) return (ClusterState.Rebalancing, Moving(state));
        if (HeldUnits.Faults(state).FirstOrDefault() is { } fault) return (ClusterState.Degraded, $"Loading failed: {fault}");
        if (!state.Options.Serves) return (ClusterState.Ready, "it serves no model; it is there to train");
        var all = state.Plan.Stages.Length + state.Plan.Shards.Length;
        var loaded = HeldUnits.LoadedStages(state).Length + HeldUnits.LoadedShards(state).Length;
        return loaded == all
            ? (ClusterState.Ready, $"all {all} parts of the model are loaded{FewerReplicas(state)}{NotUsed(state)}")
            : (ClusterState.Loading, $"{loaded} of {all} parts of the model are loaded, since {state.Cause}");
    }

    private static string Moving(SupervisorState state)
    {
        var shards = state.Target!.Shards.Except(HeldUnits.LoadedShards(state).Select(h => h.Placement)).Count();
        var stages = state.Plan.Incoming.Length - HeldUnits.ReadyIncoming(state);
        var fault = HeldUnits.Faults(state).FirstOrDefault();
        return $"serving while stages ({stages}) and expert shards ({shards}) are loaded elsewhere, since {state.Cause}{(fault is null ? "" : $"; loading failed: {fault}")}";
    }

    private static string FewerReplicas(SupervisorState state)
    {
        var asked = state.Options.Plan.Replicas;
        var planned = state.Plan.ExpertShards == 0 ? asked : state.Plan.Shards.GroupBy(s => s.Shard).Min(s => s.Count());
        return planned < asked ? $", each expert shard {planned} times instead of {asked}: devices for more are missing" : "";
    }

    private static string NotUsed(SupervisorState state) => string.Concat(state.CutOff
        .Where(state.Offers.ContainsKey).Select(n => state.Offers[n].Name).Order(StringComparer.Ordinal).Select(n => $"; node \"{n}\" is not used: its lanes stand still")
        .Concat(NotUsedDevices(state))
        .Concat(state.Nodes.Select(n => (Node: n, Shortage: HeldUnits.Shortage(state, n))).Where(n => n.Shortage is not null)
            .Select(n => $"; device \"{n.Shortage!.Value.Device.Name}\" of node \"{n.Node.Name}\" is used, for the others have no room: {n.Shortage.Value.Why}")));

    private static IEnumerable<string> NotUsedDevices(SupervisorState state) => state.Unfit
        .Where(d => state.Offers.ContainsKey(d.Key.Node) && !state.Plan.Stages.Any(s => s.Device == d.Key) && !state.Plan.Shards.Any(s => s.Device == d.Key))
        .OrderBy(d => state.Offers[d.Key.Node].Name, StringComparer.Ordinal)
        .Select(d => $"; device \"{d.Key.Name}\" of node \"{state.Offers[d.Key.Node].Name}\" is not used: {d.Value}");

    private static string Forming(SupervisorState state)
    {
        var refused = state.Refused.OrderBy(r => r.Key.Address, StringComparer.Ordinal).Select(r => r.Value).FirstOrDefault();
        var offered = state.Offers.Count == 0
            ? "no node has offered itself yet"
            : $"{state.Offers.Count} of {Math.Max(state.Options.ExpectedNodes, state.Members.Count)} nodes have offered themselves";
        return refused is null ? offered : $"{offered}; refused: {refused}";
    }
}
