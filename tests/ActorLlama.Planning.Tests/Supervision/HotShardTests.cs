using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>A shard whose experts are busier than others is served by more nodes, as measured.</summary>
public sealed class HotShardTests
{
    private static readonly PlanOptions s_plan = new(ExpertShards: 4);

    [Fact]
    public void A_rebalancing_gives_the_busiest_shard_another_replica_that_outlives_other_plans()
    {
        var cluster = SimulatedCluster.Ready(4, s_plan, maxReplicas: 2);
        var hot = cluster.State.Plan.Shards.First(s => !cluster.State.Plan.Stages.Any(x => x.Device == s.Device)).Shard;
        Assert.Equal((0, 0), Busiest(cluster));
        Compute(cluster, hot);

        var answer = RebalanceRules.Answer(cluster.State);
        Assert.Contains(answer.Moves, m => m.Part.EndsWith(", another copy,", StringComparison.Ordinal));
        Assert.True(answer.BusiestAfter < answer.BusiestBefore);
        cluster.Happens(new SupervisorEvent.RebalanceAsked());
        Assert.Equal(ClusterState.Rebalancing, cluster.State.State);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(2, cluster.State.Plan.Shards.Count(s => s.Shard == hot));
        Assert.Equal(2, cluster.Alive.Values.First().Routes!.Shards.Count(s => s.Placement.Shard == hot));
        Assert.Equal(5, cluster.State.Plan.Shards.Length);

        cluster.Up(cluster.Add());
        cluster.Turn(2);
        Assert.Equal(2, cluster.State.Plan.Shards.Count(s => s.Shard == hot));
        cluster.FailOver();
        cluster.Turn(3);
        Assert.Equal(2, cluster.State.Plan.Shards.Count(s => s.Shard == hot));

        var node = cluster.State.Plan.Shards.First(s => s.Shard == hot).Device.Node;
        cluster.Lose(cluster.Alive[node]);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Single(cluster.State.Plan.Shards, s => s.Shard == hot);
    }

    [Fact]
    public void The_supervisor_does_so_by_itself_no_more_often_than_it_is_told_to()
    {
        var cluster = SimulatedCluster.Ready(4, s_plan, maxReplicas: 2, replicateEveryMs: 60_000);
        var hot = cluster.State.Plan.Shards.First(s => !cluster.State.Plan.Stages.Any(x => x.Device == s.Device)).Shard;
        var epoch = cluster.State.Plan.Epoch;
        Compute(cluster, hot, seconds: 50);
        Assert.Equal(epoch, cluster.State.Plan.Epoch);
        Compute(cluster, hot, seconds: 14);
        Assert.Equal((ClusterState.Ready, 2), (cluster.State.State, cluster.State.Plan.Shards.Count(s => s.Shard == hot)));
        Assert.Contains("busier", cluster.State.Cause, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_leave_there_are_as_many_replicas_as_were_asked_for()
    {
        var cluster = SimulatedCluster.Ready(4, s_plan);
        Compute(cluster, 0);
        Assert.DoesNotContain(RebalanceRules.Answer(cluster.State).Moves, m => m.Part.Contains("another copy", StringComparison.Ordinal));
    }

    private static (double, double) Busiest(SimulatedCluster cluster) => RebalanceRules.Answer(cluster.State) is var answer ? (answer.BusiestBefore, answer.BusiestAfter) : default;

    private static void Compute(SimulatedCluster cluster, int hot, int seconds = 2)
    {
        for (var i = 0; i < seconds; i++)
        {
            foreach (var node in cluster.Alive.Values) node.ComputeRows(shard => shard == hot ? 8000 : 1000);
            cluster.Turn();
        }
    }
}
