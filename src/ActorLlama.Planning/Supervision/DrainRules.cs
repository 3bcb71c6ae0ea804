using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether a node can be emptied, and what that moves.</summary>
public static class DrainRules
{
    /// <summary>The node that is meant, or null where it is refused; and the answer.</summary>
    public static (NodeId? Node, ClusterProtocol.Drained Answer) Answer(SupervisorState state, ClusterProtocol.Drain asked)
    {
        var (offer, fault) = NodeNames.Find(state, asked.Node);
        if (offer is null) return Refused($"Drain: {fault}");
        // Whoever asks and hears nothing asks again: what is undone already is no fault.
        if (asked.Undo) return (offer.Node, new(null, [], []));
        if (!state.IsFormed || state.PlanFailure is not null) return Refused($"Drain: the cluster is {state.State} ({state.Reason}); nothing can move. Mend that first.");
        if (!state.Options.Serves) return (offer.Node, new(null, [], []));
        var leaving = state with { Offers = state.Offers.SetItem(offer.Node, offer with { IsLeaving = true }) };
        var result = SupervisorRules.Placement(leaving, state.Plan, state.HighestEpoch + 1, leaving.Devices);
        if (result is not PlacementResult.Placed { Plan: var target })
            return Refused($"Drain: without node \"{offer.Name}\" the model has no place. {((PlacementResult.DoesNotFit)result).Describe()}");
        var (moves, pauses) = PlannedMoves.Of(state, target, leaving.Devices);
        return (offer.Node, new(null, moves, pauses));
    }

    private static (NodeId?, ClusterProtocol.Drained) Refused(string why) => (null, new(why, [], []));
}
