using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>
/// When routes are published: at every change, and again on ticks after a while. Later routes have a higher (plan epoch, version): a supervisor that
/// takes over begins with a higher epoch.
/// </summary>
internal static class RouteRules
{
    public static SupervisorState Publish(
        SupervisorState state, long nowMs, bool mayRepeat, ImmutableArray<SupervisorEffect>.Builder effects)
    {
        var stages = HeldUnits.LoadedStages(state);
        var shards = HeldUnits.LoadedShards(state);
        var last = state.Routes;
        var same = last is not null && last.PlanEpoch == state.Plan.Epoch && last.State == state.State && last.Reason == state.Reason
            && last.Stages.SequenceEqual(stages) && last.Shards.SequenceEqual(shards);
        if (same && (!mayRepeat || nowMs - state.RoutedMs < state.Options.RoutesEveryMs)) return state;
        ImmutableArray<NodeProtocol.PipelineLoad> loads = [.. state.Nodes.SelectMany(o => o.Pipelines).OrderBy(p => p.Pipeline)];
        var routes = same ? last! with { Loads = loads } : new NodeProtocol.Routes(
            state.Plan.Epoch, (last?.Version ?? 0) + 1, state.State, state.Reason, stages, shards, loads);
        effects.Add(new SupervisorEffect.PublishRoutes([.. state.Nodes.Select(o => o.Node)], routes));
        return state with { Routes = routes, RoutedMs = nowMs };
    }
}
