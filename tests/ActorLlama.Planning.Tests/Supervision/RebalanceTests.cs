using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>Nodes that hold less get parts while the cluster serves.</summary>
public sealed class RebalanceTests
{
    [Fact]
    public void A_node_that_joined_gets_what_the_fullest_can_spare()
    {
        var cluster = SimulatedCluster.Ready(2, new PlanOptions(ExpertShards: 4));
        var joined = cluster.Add();
        cluster.Up(joined);
        cluster.Turn(2);
        var before = cluster.State;
        Assert.False(PlanAssert.Holds(before.Plan, joined.Id));

        var answer = RebalanceRules.Answer(before);
        cluster.Happens(new SupervisorEvent.RebalanceAsked());
        Assert.Equal(ClusterState.Rebalancing, cluster.State.State);
        Assert.Equal(before.Plan.Shards, cluster.State.Plan.Shards.Intersect(before.Plan.Shards));
        cluster.Turn(3);

        Assert.Null(answer.Refusal);
        Assert.NotEmpty(answer.Moves);
        Assert.Equal(["n1", "n2", "n3"], answer.Nodes.Select(n => n.Node));
        Assert.Equal((0, answer.Moves.Sum(m => m.Bytes)), (answer.Nodes[2].BytesBefore, answer.Nodes[2].BytesAfter));
        Assert.Equal(answer.Nodes.Sum(n => n.BytesBefore), answer.Nodes.Sum(n => n.BytesAfter));
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.True(PlanAssert.Holds(cluster.State.Plan, joined.Id));
        Assert.Equal(answer.Nodes.Select(n => n.BytesAfter), cluster.State.Devices.Select(d => PlanAssert.BytesOn(cluster.State.Plan, d.Id)));
        PlanAssert.Valid(cluster.Shape, cluster.State.Devices, new PlanOptions(ExpertShards: 4), Renumbered(cluster.State.Plan));
        Assert.Empty(RebalanceRules.Answer(cluster.State).Moves);
    }

    [Property(MaxTest = 60, EndSize = 40)]
    public void Every_part_serves_at_every_moment_and_a_level_cluster_stays_as_it_is(byte[] history, bool replicated, bool twoPipelines)
    {
        var options = new PlanOptions(Pipelines: twoPipelines ? 2 : 1, Replicas: replicated ? 2 : 1, ExpertShards: 4);
        var cluster = SimulatedCluster.Ready(3, options);
        foreach (var happening in history)
        {
            var nodes = cluster.Alive.Values.OrderBy(n => n.Id.Uid).ToArray();
            var node = nodes[happening / 8 % nodes.Length];
            switch (happening % 6)
            {
                case 0 when nodes.Length < 6: cluster.Up(cluster.Add()); break;
                case 1: cluster.Happens(new SupervisorEvent.RebalanceAsked()); break;
                case 2:
                    node.IsLeaving = !node.IsLeaving && !nodes.Any(n => n.IsLeaving);
                    cluster.Offer(node);
                    break;
                case 3:
                    node.Load();
                    cluster.Offer(node);
                    break;
                case 4: cluster.Tick(happening); break;
                default: cluster.Turn(); break;
            }

            Assert.Equal(cluster.State.Plan.ExpertShards, nodes[0].Routes!.Shards.Select(s => s.Placement.Shard).Distinct().Count());
        }

        cluster.Turn(4);
        var fullest = Fullest(cluster);
        cluster.Happens(new SupervisorEvent.RebalanceAsked());
        cluster.Turn(4);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        PlanAssert.Valid(cluster.Shape, [.. cluster.State.Devices.Where(d => !d.IsLeaving)], options, Renumbered(cluster.State.Plan));
        Assert.True(Fullest(cluster) <= fullest);
    }

    private static long Fullest(SimulatedCluster cluster) => cluster.State.Devices.Where(d => !d.IsLeaving).Max(d => PlanAssert.BytesOn(cluster.State.Plan, d.Id));

    /// <summary>Replicas' numbers are labels; after a move they may begin elsewhere than at 0.</summary>
    private static PlacementPlan Renumbered(PlacementPlan plan) =>
        plan with { Shards = [.. plan.Shards.GroupBy(s => s.Shard).SelectMany(g => g.OrderBy(s => s.Replica).Select((s, i) => s with { Replica = i }))] };

    [Fact]
    public void What_does_not_serve_is_left_alone()
    {
        var cluster = new SimulatedCluster(expected: 2);
        cluster.Up(cluster.Add());
        cluster.Turn();
        Assert.StartsWith("Rebalance: the cluster is Forming", RebalanceRules.Answer(cluster.State).Refusal, StringComparison.Ordinal);
        cluster.Happens(new SupervisorEvent.RebalanceAsked());
        Assert.Empty(cluster.Effects);
    }
}
