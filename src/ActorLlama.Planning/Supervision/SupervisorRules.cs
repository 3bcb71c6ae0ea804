using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// The cluster's supervisor. Forming → Loading → Ready; a loss leads to Loading again under a new plan, or to Degraded when nothing fits; a
/// failed load leads to Degraded until it is mended. A node that leaves is emptied in Rebalancing: what it holds is loaded elsewhere first. Offers say what is held; plans
/// only ask.
/// </summary>
public static class SupervisorRules
{
    /// <summary>Between two tries of devices that failed; the shift keeps the product in range.</summary>
    private const long LongestPauseMs = 60_000;
    private const int LongestShift = 16;

    /// <summary>The next state, and what to do now.</summary>
    public static (SupervisorState State, ImmutableArray<SupervisorEffect> Effects) Step(
        SupervisorState state, SupervisorEvent happened, long nowMs)
    {
        var effects = ImmutableArray.CreateBuilder<SupervisorEffect>();
        var next = happened switch
        {
            SupervisorEvent.OfferReceived offered => Offered(state, offered.Offer, nowMs, effects),
            SupervisorEvent.MemberUp up => Joined(state, up.Node, nowMs, effects),
            SupervisorEvent.MemberLost lost => LostNode(state, lost, nowMs, effects),
            SupervisorEvent.ProcessGone gone => state.Members.Contains(gone.Node) ? state with { Gone = state.Gone.Add(gone.Node) } : state,
            SupervisorEvent.RebalanceAsked => Rebalanced(state, nowMs, effects),
            SupervisorEvent.Tick => Ticked(state, nowMs, effects),
            _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "Supervisor: unknown event."),
        };
        // A plan that was made just now is told before the one behind it.
        if (ReferenceEquals(next.Target, state.Target)) next = CutOver(next, nowMs, effects);
        return (Settle(next, nowMs, happened is SupervisorEvent.Tick, effects), effects.ToImmutable());
    }

    /// <summary>What a supervisor on <paramref name="supervisor"/> answers to <see cref="ClusterProtocol.GetStatus"/>.</summary>
    public static ClusterProtocol.Status Status(SupervisorState state, NodeId supervisor) =>
        new(state.State, state.Reason, state.Plan, state.Nodes, supervisor);

    private static SupervisorState Offered(
        SupervisorState state, NodeProtocol.Offer offer, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.Lost.Contains(offer.Node)) return state;
        if (!state.Members.Contains(offer.Node)) return state with { Early = state.Early.SetItem(offer.Node, offer) };
        var known = state.Offers.GetValueOrDefault(offer.Node);
        if (known is not null && offer.PlanEpoch < known.PlanEpoch) return state;
        if (ModelAgreement.Disagreement(state.Agreed, offer) is { } reason)
        {
            effects.Add(new SupervisorEffect.Refuse(offer.Node, reason));
            if (state.Refused.GetValueOrDefault(offer.Node) != reason) effects.Add(new SupervisorEffect.Note(EventKind.Fault, offer.Name, reason));
            return TryForm(state with { Refused = state.Refused.SetItem(offer.Node, reason) }, nowMs, effects);
        }

        var next = state with
        {
            Agreed = state.Agreed ?? offer,
            Offers = state.Offers.SetItem(offer.Node, offer),
            Refused = state.Refused.Remove(offer.Node),
            HighestEpoch = Math.Max(state.HighestEpoch, HeldPlan.HighestEpoch(offer)),
            Loads = state.Loads.With(offer, nowMs, state.Options.LoadMemoryMs),
        };
        if (known is null && !HeldPlan.HasHistory(offer)) effects.Add(new SupervisorEffect.Note(EventKind.Joined, offer.Name, "it joined"));
        if (!next.IsFormed) return TryForm(next, nowMs, effects);
        if (known is null) return Replan(next, $"node \"{offer.Name}\" joined", nowMs, effects);
        if (known.IsLeaving != offer.IsLeaving)
            return Replan(next, offer.IsLeaving ? $"node \"{offer.Name}\" is drained" : $"node \"{offer.Name}\" is not drained any more", nowMs, effects);
        if (HeldUnits.Rested(known, offer) is [var fit, ..] rested) return Replan(Usable(next, offer.Name, rested, effects), $"device \"{fit.Name}\" of node \"{offer.Name}\" is fit again", nowMs, effects);
        if (LaneRules.CutOff(next) is var cutOff && !cutOff.SetEquals(next.CutOff)) return PlanAroundLanes(next, cutOff, nowMs, effects);
        if (HeldUnits.DeviceFault(next, offer) is var (device, why)) return PlanAround(next, offer.Name, device, why, nowMs, effects);
        if (HeldUnits.Shortage(next, offer) is var (tight, shortage))
        {
            if (Fits(next with { Unfit = next.Unfit.SetItem(tight, shortage) })) return PlanAround(next, offer.Name, tight, shortage, nowMs, effects);
            if (HeldUnits.Shortage(next, known) is null) effects.Add(new SupervisorEffect.Note(EventKind.Fault, offer.Name, $"device \"{tight.Name}\" is used, for the others have no room: {shortage}"));
        }

        return offer.PlanEpoch > next.Plan.Epoch
            ? Replan(next, $"node \"{offer.Name}\" knows a later plan", nowMs, effects)
            : AssignBehind(next, [offer], nowMs, effects);
    }

    private static SupervisorState Joined(
        SupervisorState state, NodeId node, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.Lost.Contains(node) || state.Members.Contains(node)) return state;
        var next = state with { Members = state.Members.Add(node), Early = state.Early.Remove(node) };
        return state.Early.TryGetValue(node, out var offer) ? Offered(next, offer, nowMs, effects) : next;
    }

    private static SupervisorState LostNode(
        SupervisorState state, SupervisorEvent.MemberLost lost, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        var node = lost.Node;
        var name = state.Offers.GetValueOrDefault(node)?.Name;
        if (state.Members.Contains(node)) effects.Add(new SupervisorEffect.Note(EventKind.Lost, name ?? node.Address, HowLost(state, lost)));
        var next = state with
        {
            Members = state.Members.Remove(node),
            Gone = state.Gone.Remove(node),
            Lost = state.Lost.Add(node),
            Offers = state.Offers.Remove(node),
            Early = state.Early.Remove(node),
            Refused = state.Refused.Remove(node),
            AssignedMs = state.AssignedMs.Remove(node),
            CutOff = state.CutOff.Remove(node),
            Loads = state.Loads.Without(node),
            Unfit = state.Unfit.RemoveRange(state.Unfit.Keys.Where(d => d.Node == node)),
        };
        if (next.Offers.IsEmpty) return Forgotten(next);
        if (!next.IsFormed) return TryForm(next, nowMs, effects);
        var held = next.Plan.Stages.Any(s => s.Device.Node == node) || next.Plan.Shards.Any(s => s.Device.Node == node);
        return name is not null && (held || next.PlanFailure is not null)
            ? Replan(next, $"node \"{name}\" was lost", nowMs, effects)
            : next;
    }

    private static string HowLost(SupervisorState state, SupervisorEvent.MemberLost lost) =>
        lost.Left ? "it left"
        : state.Gone.Contains(lost.Node) ? "its process is gone: its ports refused connections"
        : "nothing was heard of it for too long";

    private static SupervisorState Ticked(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (!state.IsFormed) return TryForm(state, nowMs, effects);
        state = TryAgain(state, nowMs, effects);
        if (state.PlanFailure is not null) return state;
        var next = AssignBehind(Replicated(state, nowMs, effects), state.Nodes, nowMs, effects);
        return nowMs - next.ServedMs < next.Options.ResendMs ? next : ServeUnheld(next, HeldUnits.Unheld(next), nowMs, effects);
    }

    /// <summary>
    /// Waits until every member has been heard, for a time: any of them may hold a plan. A new cluster waits for its number of nodes, too.
    /// </summary>
    private static SupervisorState TryForm(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.IsFormed || state.Offers.IsEmpty) return state;
        var takesOver = state.Offers.Values.Any(HeldPlan.HasHistory);
        var everyone = state.Members.All(m => state.Offers.ContainsKey(m) || state.Refused.ContainsKey(m));
        var forms = (everyone || nowMs - state.StartedMs >= state.Options.FormationTimeoutMs)
            && (takesOver || state.Offers.Count >= state.Options.ExpectedNodes);
        if (!forms) return state;
        var epoch = state.HighestEpoch + (takesOver ? 1 : 0);
        var held = WithoutShort(state with { IsFormed = true, Plan = HeldPlan.From(state.Nodes, epoch), HighestEpoch = epoch });
        return Replan(held, takesOver ? "a new supervisor took over" : "the cluster formed", nowMs, effects);
    }

    private static SupervisorState Replan(
        SupervisorState state, string cause, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects, bool hasFailed = false)
    {
        var serving = state.PlanFailure is null && !hasFailed ? state.Plan : HeldPlan.From(state.Nodes, state.HighestEpoch);
        var epoch = state.HighestEpoch + 1;
        if (!state.Options.Serves)
        {
            var connected = state with { Plan = PlacementPlan.Empty with { Epoch = epoch }, HighestEpoch = epoch, Cause = cause };
            return Assign(connected, connected.Nodes, nowMs, effects);
        }

        var result = Placement(state, serving, epoch, state.Devices);
        // Where the others have no room, those that leave stay.
        if (result is PlacementResult.DoesNotFit && state.Nodes.Any(o => o.IsLeaving))
            result = Placement(state, serving, epoch, state.Working(state.Nodes.Select(o => o with { IsLeaving = false })));
        if (result is not PlacementResult.Placed { Plan: var target })
        {
            var failure = ((PlacementResult.DoesNotFit)result).Describe();
            effects.Add(new SupervisorEffect.Note(EventKind.Planned, "", $"no plan, because {cause}: {failure}"));
            return state with { PlanFailure = failure, Cause = cause, Target = null };
        }

        return MoveTo(state, target, serving, cause, nowMs, effects);
    }

    /// <summary>From what serves to that plan, without a gap where there is room.</summary>
    private static SupervisorState MoveTo(
        SupervisorState state, PlacementPlan target, PlacementPlan serving, string cause, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects, bool grows = false)
    {
        var plan = HeldUnits.AllLoaded(state with { Plan = target }) ? target : Transition.Between(serving, target, state.Devices, grows);
        var next = state with { Plan = plan, Target = ReferenceEquals(plan, target) ? null : target, HighestEpoch = target.Epoch, PlanFailure = null, Cause = cause };
        effects.Add(new SupervisorEffect.Note(EventKind.Planned, "", $"plan {target.Epoch}, because {cause}{Moves(next, serving)}"));
        next = Assign(next, next.Nodes, nowMs, effects);
        return ServeUnheld(next, HeldUnits.Unheld(next), nowMs, effects);
    }

    private static SupervisorState Rebalanced(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects) =>
        state.State == ClusterState.Ready && RebalanceRules.Target(state) is var target && target.Epoch > state.Plan.Epoch
            ? MoveTo(state, target, state.Plan, "it was asked to be rebalanced", nowMs, effects, grows: true)
            : state;

    /// <summary>Now and then busy shards get more replicas by themselves.</summary>
    private static SupervisorState Replicated(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.Options.ReplicateEveryMs is not { } every || state.State != ClusterState.Ready || nowMs - state.ReplicatedMs < every) return state;
        var next = state with { ReplicatedMs = nowMs };
        return RebalanceRules.Replicated(next, next.Plan) is var target && target.Epoch > next.Plan.Epoch
            ? MoveTo(next, target, next.Plan, "some experts are busier than others", nowMs, effects, grows: true)
            : next;
    }

    /// <summary>Where everything is to go: what moves already goes on moving.</summary>
    internal static PlacementResult Placement(SupervisorState state, PlacementPlan serving, long epoch, ImmutableArray<PlannedDevice> devices)
    {
        var previous = devices.Any(d => d.IsLeaving) && state.Target is { } target && state.PlanFailure is null
            ? serving with { Stages = target.Stages, PipelineEpochs = target.PipelineEpochs }
            : serving;
        var result = PlacementRules.Plan(state.Agreed!.Shape, devices, WithRoomFor(state.Options.Plan, devices, previous), previous, epoch);
        return result is PlacementResult.Placed { Plan: var placed } && RebalanceRules.Spares(state) > 0
            ? new PlacementResult.Placed(HotReplicas.Kept(serving, placed, devices, state.Options.MaxReplicas))
            : result;
    }

    /// <summary>All that moves is loaded: from now on it serves, and what it replaces is given up.</summary>
    private static SupervisorState CutOver(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.Target is not { } target || state.PlanFailure is not null) return state;
        var loaded = HeldUnits.LoadedShards(state).Select(h => h.Placement).ToHashSet();
        if (HeldUnits.ReadyIncoming(state) < state.Plan.Incoming.Length || !target.Shards.All(loaded.Contains)) return state;
        var epoch = state.HighestEpoch + 1;
        effects.Add(new SupervisorEffect.Note(EventKind.Planned, "", $"plan {epoch}: what was loaded elsewhere takes over, since {state.Cause}"));
        var next = state with { Plan = target with { Epoch = epoch }, Target = null, HighestEpoch = epoch };
        return Assign(next, next.Nodes, nowMs, effects);
    }

    /// <summary>What the plan puts elsewhere than the one before, in words.</summary>
    private static string Moves(SupervisorState state, PlacementPlan previous)
    {
        string NameOf(DeviceId device) => state.Offers.GetValueOrDefault(device.Node)?.Name ?? device.Node.Address;
        string[] moved =
        [
            .. state.Plan.Stages.Concat(state.Plan.Incoming).Where(s => !Pins.Holds(previous, s))
                .Select(s => $"stage {s.Index} of pipeline {s.Pipeline} on {NameOf(s.Device)}"),
            .. state.Plan.Shards.Where(s => !Pins.Holds(previous, s))
                .Select(s => $"expert shard {s.Shard} replica {s.Replica} on {NameOf(s.Device)}"),
        ];
        return moved.Length == 0 ? "; nothing moves" : $"; new: {string.Join(", ", moved)}";
    }

    /// <summary>A cluster that serves goes on with fewer replicas when it has lost the devices for them; a new one is told instead.</summary>
    private static PlanOptions WithRoomFor(PlanOptions asked, ImmutableArray<PlannedDevice> devices, PlacementPlan previous) =>
        previous.Shards.IsEmpty ? asked : asked with { Replicas = Math.Clamp(devices.Count(d => d.Experts), 1, asked.Replicas) };

    /// <summary>What the device could not hold goes elsewhere; where it fits nowhere else, the plan stays and the cluster says why it does not serve.</summary>
    private static SupervisorState PlanAround(
        SupervisorState state, string node, DeviceId device, string why, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        var without = state with { Unfit = state.Unfit.SetItem(device, why) };
        effects.Add(new SupervisorEffect.Note(EventKind.Fault, node, $"device \"{device.Name}\" is not used: {why}"));
        return Fits(without) ? Replan(without, $"device \"{device.Name}\" of node \"{node}\" failed", nowMs, effects) : without;
    }

    /// <summary>Devices that said to a supervisor before this one that they are short of memory get nothing new, if the others have room.</summary>
    private static SupervisorState WithoutShort(SupervisorState state)
    {
        var without = state with { Unfit = state.Unfit.SetItems(state.Nodes.SelectMany(HeldUnits.Short)) };
        return Fits(without) ? without : state;
    }

    /// <summary>
    /// Devices that failed and without which there is no plan are used all the same, now and then, with longer and longer pauses: what was in their way, somebody else's memory or a disk that
    /// is back, may be over, and there is nothing to lose.
    /// </summary>
    private static SupervisorState TryAgain(SupervisorState state, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.State == ClusterState.Ready) return state.Tries == 0 ? state : state with { Tries = 0 };
        if (state.Unfit.IsEmpty || nowMs < state.TryAfterMs || Fits(state)) return state;
        var pause = Math.Min(state.Options.TryAgainMs << Math.Min(state.Tries, LongestShift), LongestPauseMs);
        var next = state with { Tries = state.Tries + 1, TryAfterMs = nowMs + pause };
        var again = next with { Unfit = ImmutableDictionary<DeviceId, string>.Empty };
        if (!Fits(again)) return next;
        foreach (var (device, why) in state.Unfit)
            effects.Add(new SupervisorEffect.Note(EventKind.State, state.Offers[device.Node].Name, $"device \"{device.Name}\" is tried again, for the others have no room: {why}"));
        return Replan(again, "there is no room without devices that failed", nowMs, effects, hasFailed: true);
    }

    /// <summary>Devices that have not failed for a while: as if they had just joined.</summary>
    private static SupervisorState Usable(SupervisorState state, string node, ImmutableArray<DeviceId> rested, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        effects.AddRange(rested.Select(d => new SupervisorEffect.Note(EventKind.State, node, $"device \"{d.Name}\" may be used again: it has not failed for a while")));
        return state with { Unfit = state.Unfit.RemoveRange(rested) };
    }

    /// <summary>A node that can be reached again is planned with again; one that cannot is planned around, if the others have room.</summary>
    private static SupervisorState PlanAroundLanes(
        SupervisorState state, ImmutableHashSet<NodeId> cutOff, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        foreach (var node in cutOff.Except(state.CutOff)) effects.Add(new SupervisorEffect.Note(EventKind.Fault, state.Offers[node].Name, "its lanes stand still: it is not used"));
        foreach (var node in state.CutOff.Except(cutOff)) effects.Add(new SupervisorEffect.Note(EventKind.State, state.Offers[node].Name, "its lanes run again"));
        var held = state.Plan.Stages.Any(s => cutOff.Contains(s.Device.Node)) || state.Plan.Shards.Any(s => cutOff.Contains(s.Device.Node));
        var next = state with { CutOff = cutOff };
        if (!held && next.PlanFailure is null) return next;
        return Fits(next) ? Replan(next, "lanes changed", nowMs, effects) : next;
    }

    private static bool Fits(SupervisorState state) => Placement(state, state.Plan, state.HighestEpoch + 1, state.Devices) is PlacementResult.Placed;

    private static SupervisorState AssignBehind(
        SupervisorState state, IEnumerable<NodeProtocol.Offer> offers, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (state.PlanFailure is not null) return state;
        var behind = offers.Where(o => o.PlanEpoch < state.Plan.Epoch
            && nowMs - state.AssignedMs.GetValueOrDefault(o.Node, long.MinValue / 2) >= state.Options.ResendMs);
        return Assign(state, [.. behind], nowMs, effects);
    }

    private static SupervisorState Assign(
        SupervisorState state, ImmutableArray<NodeProtocol.Offer> offers, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        if (offers.IsEmpty) return state;
        ImmutableArray<NodeId> nodes = [.. offers.Select(o => o.Node)];
        ImmutableArray<NodeProtocol.NodeAddress> addresses =
            [.. state.Nodes.Select(o => new NodeProtocol.NodeAddress(o.Node, o.Name, o.Lane))];
        effects.Add(new SupervisorEffect.AssignTo(nodes, new NodeProtocol.Assign(state.Plan, addresses, SharedProcessors.DevicesAtOnce(state.Plan, [.. state.Nodes]))));
        return state with { AssignedMs = state.AssignedMs.SetItems(nodes.Select(n => KeyValuePair.Create(n, nowMs))) };
    }

    private static SupervisorState ServeUnheld(
        SupervisorState state, IEnumerable<ShardPlacement> shards, long nowMs, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        ImmutableArray<ShardPlacement> unheld = [.. shards];
        effects.AddRange(unheld.Select(s => new SupervisorEffect.Serve(new ShardProtocol.Serve(s.Shard, s.Replica, s.Epoch))));
        return unheld.IsEmpty ? state : state with { ServedMs = nowMs };
    }

    private static SupervisorState Forgotten(SupervisorState state) => state with
    {
        Agreed = null,
        IsFormed = false,
        Plan = PlacementPlan.Empty,
        PlanFailure = null,
        Target = null,
        Routes = null,
    };

    /// <summary>Tells what changed: the state to whoever watches, the routes to all nodes.</summary>
    private static SupervisorState Settle(
        SupervisorState state, long nowMs, bool mayRepeat, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        var (now, reason) = SupervisorReasons.Of(state);
        if (now != state.State || reason != state.Reason)
        {
            effects.Add(new SupervisorEffect.Report(now, reason));
            if (now != state.State) effects.Add(new SupervisorEffect.Note(now == ClusterState.Degraded ? EventKind.Fault : EventKind.State, "", $"{now}: {reason}"));
            state = state with { State = now, Reason = reason };
        }

        return state.IsFormed ? RouteRules.Publish(state, nowMs, mayRepeat, effects) : state;
    }
}
