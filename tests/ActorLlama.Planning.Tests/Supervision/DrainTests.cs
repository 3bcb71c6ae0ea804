using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>A node is emptied while the cluster serves.</summary>
public sealed class DrainTests
{
    [Fact]
    public void What_a_node_holds_is_loaded_elsewhere_before_it_is_given_up()
    {
        var cluster = SimulatedCluster.Ready(4);
        var before = cluster.State.Plan;
        var leaving = cluster.Alive[before.Stages[0].Device.Node];
        leaving.IsLeaving = true;
        cluster.Offer(leaving);

        var between = cluster.State;
        Assert.Equal(ClusterState.Rebalancing, between.State);
        Assert.Equal(before.Stages, between.Plan.Stages.AsEnumerable());
        Assert.NotEmpty(between.Plan.Incoming);
        Assert.DoesNotContain(between.Plan.Incoming, s => s.Device.Node == leaving.Id);
        Assert.Equal(before.Shards, between.Plan.Shards.Intersect(before.Shards));

        cluster.Turn(3);
        var after = cluster.State;
        Assert.Equal(ClusterState.Ready, after.State);
        Assert.False(PlanAssert.Holds(after.Plan, leaving.Id));
        Assert.Empty(after.Plan.Incoming);
        Assert.Equal((0, 0), (leaving.Offer().Stages.Length, leaving.Offer().Shards.Length));
        Assert.Equal(before.Shards.Where(s => s.Device.Node != leaving.Id), after.Plan.Shards.Intersect(before.Shards));
    }

    [Property(MaxTest = 100, EndSize = 30)]
    public void A_drain_moves_no_more_than_the_node_holds(byte[] history, bool replicated, int stages)
    {
        var cluster = SimulatedCluster.Ready(4, new PlanOptions(Stages: stages % 3 == 0 ? null : 1 + Math.Abs(stages % 3), Replicas: replicated ? 2 : 1));
        foreach (var happening in history)
        {
            var nodes = cluster.Alive.Values.OrderBy(n => n.Id.Uid).ToArray();
            switch (happening % 4)
            {
                case 0 when nodes.Length < 6: cluster.Up(cluster.Add()); break;
                case 1 when nodes.Length > 3: cluster.Lose(nodes[happening / 4 % nodes.Length]); break;
                case 2: cluster.Happens(new SupervisorEvent.RebalanceAsked()); break;
                default: break;
            }

            cluster.Turn(4);
        }

        foreach (var node in cluster.Alive.Values)
        {
            var answer = DrainRules.Answer(cluster.State, new ClusterProtocol.Drain(node.Name, Undo: false, DryRun: true)).Answer;
            var held = node.Offer().Stages.Sum(s => s.Placement.WeightBytes) + node.Offer().Shards.Sum(s => s.Placement.WeightBytes);
            Assert.Null(answer.Refusal);
            Assert.True(answer.Moves.Sum(m => m.Bytes) <= held, $"{node.Name} holds {held}: {string.Join("; ", answer.Moves)} by {cluster.State.Plan}");
        }
    }

    [Property(MaxTest = 60, EndSize = 40)]
    public void While_no_node_is_lost_every_part_serves_at_every_moment(byte[] history, bool replicated, bool twoPipelines)
    {
        var cluster = SimulatedCluster.Ready(5, new PlanOptions(Pipelines: twoPipelines ? 2 : 1, Replicas: replicated ? 2 : 1));
        foreach (var happening in history)
        {
            var nodes = cluster.Alive.Values.OrderBy(n => n.Id.Uid).ToArray();
            var node = nodes[happening / 8 % nodes.Length];
            switch (happening % 4)
            {
                case 0:
                    // Two of five are enough for the others to hold all.
                    node.IsLeaving = !node.IsLeaving && nodes.Count(n => n.IsLeaving) < 2;
                    cluster.Offer(node);
                    break;
                case 1:
                    node.Load();
                    cluster.Offer(node);
                    break;
                case 2:
                    cluster.Turn();
                    break;
                default:
                    cluster.Tick(happening);
                    break;
            }

            var routes = nodes[0].Routes!;
            Assert.Equal(cluster.State.Plan.ExpertShards, routes.Shards.Select(s => s.Placement.Shard).Distinct().Count());
        }

        cluster.Turn(4);
        Assert.Equal((ClusterState.Ready, ""), (cluster.State.State, cluster.State.State == ClusterState.Ready ? "" : cluster.State.Reason));
        Assert.All(cluster.Alive.Values.Where(n => n.IsLeaving), n => Assert.False(PlanAssert.Holds(cluster.State.Plan, n.Id)));
    }

    [Fact]
    public void A_supervisor_that_takes_over_goes_on()
    {
        var cluster = SimulatedCluster.Ready(4);
        var leaving = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        leaving.IsLeaving = true;
        cluster.Offer(leaving);
        cluster.FailOver();
        cluster.Turn(4);

        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.False(PlanAssert.Holds(cluster.State.Plan, leaving.Id));
    }

    [Fact]
    public void A_node_that_is_lost_meanwhile_is_planned_around()
    {
        var cluster = SimulatedCluster.Ready(4);
        var leaving = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        leaving.IsLeaving = true;
        cluster.Offer(leaving);
        cluster.Lose(cluster.Alive[cluster.State.Plan.Incoming[0].Device.Node]);
        cluster.Turn(4);

        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.False(PlanAssert.Holds(cluster.State.Plan, leaving.Id));
    }

    [Fact]
    public void Where_the_others_have_no_room_it_is_refused_and_the_node_stays()
    {
        var shape = Shapes.Tiny(6, 8);
        var all = ModelBytes.Total(shape, new PlanOptions());
        var cluster = SimulatedCluster.Ready(2, memoryBytes: all * 6 / 10, shape: shape);
        var node = cluster.Alive.Values.First();

        var (_, answer) = DrainRules.Answer(cluster.State, new(node.Name, Undo: false, DryRun: true));
        Assert.StartsWith($"Drain: without node \"{node.Name}\" the model has no place.", answer.Refusal, StringComparison.Ordinal);

        node.IsLeaving = true;
        cluster.Offer(node);
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.True(PlanAssert.Holds(cluster.State.Plan, node.Id));
    }

    [Fact]
    public void It_is_told_what_moves_where()
    {
        var cluster = SimulatedCluster.Ready(4);
        var stage = cluster.State.Plan.Stages[0];
        var (node, answer) = DrainRules.Answer(cluster.State, new(cluster.Alive[stage.Device.Node].Name, Undo: false, DryRun: true));

        Assert.Equal(stage.Device.Node, node);
        Assert.Null(answer.Refusal);
        Assert.Empty(answer.Pauses);
        Assert.Contains(answer.Moves, m => m.Part == $"layers {stage.FirstLayer}-{stage.FirstLayer + stage.Layers - 1} of pipeline 0" && m.Bytes == stage.WeightBytes);
        Assert.DoesNotContain(answer.Moves, m => m.To == cluster.Alive[stage.Device.Node].Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_node_that_nobody_knows_is_refused(bool undo) => Assert.Equal(
        "Drain: no node is \"nobody\". The cluster has n1 (10.0.0.1:4053), n2 (10.0.0.2:4053), n3 (10.0.0.3:4053).",
        DrainRules.Answer(SimulatedCluster.Ready().State, new("nobody", undo, DryRun: false)).Answer.Refusal);

    /// <summary>The answer to the first question may have been lost.</summary>
    [Fact]
    public void What_is_undone_may_be_undone_again() => Assert.Null(DrainRules.Answer(SimulatedCluster.Ready().State, new("n1", Undo: true, DryRun: false)).Answer.Refusal);
}
