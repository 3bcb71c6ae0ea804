using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Sessions;

public sealed class SchedulerChoiceTests
{
    private static readonly NodeId Node = new("a:1", 1);

    [Fact]
    public void Sessions_are_spread_over_the_pipelines_and_stay_where_they_are()
    {
        var routes = Routes(ClusterState.Ready, 2);
        var chosen = Enumerable.Range(0, 100).Select(i => SchedulerChoice.Choose(routes, new($"session-{i}"), null, Idle)!.Value).ToList();
        Assert.InRange(chosen.Count(t => t == Target(0)), 20, 80);
        Assert.Equal(Target(1), SchedulerChoice.Choose(routes, new("session-0"), Target(1), Idle));
        Assert.Equal(Target(0), SchedulerChoice.Choose(Routes(ClusterState.Ready, 1), new("session-0"), Target(1), Idle));
    }

    [Fact]
    public void Nobody_starts_where_the_cluster_does_not_serve_but_nobody_leaves_for_that()
    {
        Assert.Null(SchedulerChoice.Choose(Routes(ClusterState.Loading, 2), new("s"), null, Idle));
        Assert.Equal(Target(1), SchedulerChoice.Choose(Routes(ClusterState.Loading, 2), new("s"), Target(1), Idle));
        Assert.Null(SchedulerChoice.Choose(Routes(ClusterState.Loading, 1), new("s"), Target(1), Idle));
        Assert.Null(SchedulerChoice.Choose(Routes(ClusterState.Ready, 0), new("s"), null, Idle));
    }

    [Fact]
    public void The_least_loaded_pipeline_is_chosen_and_of_those_that_are_busy_none()
    {
        var routes = Routes(ClusterState.Ready, 3);
        Assert.Equal(Target(2), SchedulerChoice.Choose(routes, new("s"), null, p => 9 - p));
        Assert.Equal(Target(0), SchedulerChoice.Choose(routes, new("s"), Target(0), p => 9 - p));
        Assert.Equal(Target(1), SchedulerChoice.Other(routes, new("s"), new HashSet<LaneTarget> { Target(2) }, p => 9 - p));
        Assert.Null(SchedulerChoice.Other(routes, new("s"), new HashSet<LaneTarget> { Target(0), Target(1), Target(2) }, p => 9 - p));
        Assert.Equal(1, SchedulerChoice.PipelineOf(routes, Target(1)));
        Assert.Null(SchedulerChoice.PipelineOf(routes, Target(3)));
    }

    private static int Idle(int pipeline) => 0;

    private static LaneTarget Target(int pipeline) => new(Node, $"/user/scheduler-{pipeline}", 1);

    private static NodeProtocol.Routes Routes(ClusterState state, int pipelines) => new(
        1, 1, state, "",
        [
            .. Enumerable.Range(0, pipelines).Select(p => new NodeProtocol.HeldStage(
                1, new(p, 0, 0, 4, new(Node, "cpu:0"), 0, 0), new LaneTarget(Node, $"/user/stage-{p}-0", 1), Target(p), 0, null)),
        ],
        [], []);
}
