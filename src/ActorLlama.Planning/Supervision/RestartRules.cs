using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether a node may end and start again: nothing of the model is lost with it.</summary>
public static class RestartRules
{
    /// <summary>The node that is meant, or null where it is refused; and the answer.</summary>
    public static (NodeId? Node, ClusterProtocol.Restarting Answer) Answer(SupervisorState state, ClusterProtocol.Restart asked)
    {
        var (offer, fault) = NodeNames.Find(state, asked.Node);
        if (offer is null) return Refused(fault);
        if (!offer.IsLeaving) return Refused($"node \"{offer.Name}\" is not drained. Drain it first.");
        return state.State == ClusterState.Ready && IsEmpty(state.Plan, offer)
            ? (offer.Node, new(null))
            : Refused($"node \"{offer.Name}\" still holds parts of the model, or others wait for what it held ({state.State}: {state.Reason}). Wait until it holds nothing.");
    }

    /// <summary>It holds nothing, and is to hold nothing.</summary>
    internal static bool IsEmpty(PlacementPlan plan, NodeProtocol.Offer offer) =>
        offer is { Stages.Length: 0, Shards.Length: 0 }
        && !plan.Stages.Concat(plan.Incoming).Any(s => s.Device.Node == offer.Node)
        && !plan.Shards.Any(s => s.Device.Node == offer.Node);

    private static (NodeId?, ClusterProtocol.Restarting) Refused(string why) => (null, new($"Restart: {why}"));
}
