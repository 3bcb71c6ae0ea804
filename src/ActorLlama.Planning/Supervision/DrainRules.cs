using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>Whether a node can be emptied, and what that moves.</summary>
public static class DrainRules
{
    /// <summary>The node that is meant, or null where it is refused; and the answer.</summary>
    public static (NodeId? Node, ClusterProtocol.Drained Answer) Answer(SupervisorState state, ClusterProtocol.Drain asked)
    {
        var named = state.Nodes.Where(o => o.IsCalled(asked.Node)).ToArray();
        if (named.Length != 1)
            return Refused($"Drain: {(named.Length == 0 ? "no node" : "more than one node")} is \"{asked.Node}\". "
                + $"The cluster has {string.Join(", ", state.Nodes.Select(o => $"{o.Name} ({o.Node.HostAndPort})"))}.");
        var offer = named[0];
        if (asked.Undo)
            return offer.IsLeaving ? (offer.Node, new(null, [], [])) : Refused($"Drain: node \"{offer.Name}\" is not drained; there is nothing to undo.");
        if (!state.IsFormed || state.PlanFailure is not null) return Refused($"Drain: the cluster is {state.State} ({state.Reason}); nothing can move. Mend that first.");
        var leaving = state with { Offers = state.Offers.SetItem(offer.Node, offer with { IsLeaving = true }) };
        var result = SupervisorRules.Placement(leaving, state.Plan, state.HighestEpoch + 1, leaving.Devices);
        if (result is not PlacementResult.Placed { Plan: var target })
            return Refused($"Drain: without node \"{offer.Name}\" the model has no place. {((PlacementResult.DoesNotFit)result).Describe()}");
        var between = Transition.Between(state.Plan, target, leaving.Devices);
        string NameOf(DeviceId device) => state.Offers[device.Node].Name;
        var stages = target.Stages.Where(s => !Pins.Holds(state.Plan, s)).ToArray();
        ImmutableArray<ClusterProtocol.Move> moves =
        [
            .. stages.Select(s => new ClusterProtocol.Move(
                $"layers {s.FirstLayer}-{s.FirstLayer + s.Layers - 1} of pipeline {s.Pipeline}", NameOf(s.Device), s.WeightBytes)),
            .. target.Shards.Where(s => !Pins.Holds(state.Plan, s)).Select(s => new ClusterProtocol.Move(
                $"experts {s.FirstExpert}-{s.FirstExpert + s.Experts - 1}", NameOf(s.Device), s.WeightBytes)),
        ];
        return (offer.Node, new(null, moves, [.. stages.Except(between.Incoming).Select(s => s.Pipeline).Distinct().Order()]));
    }

    private static (NodeId?, ClusterProtocol.Drained) Refused(string why) => (null, new(why, [], []));
}
