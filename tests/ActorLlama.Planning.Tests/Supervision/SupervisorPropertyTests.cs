using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>Random histories of a cluster.</summary>
public sealed class SupervisorPropertyTests
{
    [Property(MaxTest = 60, EndSize = 50)]
    public void Whatever_happened_a_cluster_with_enough_nodes_ends_ready_and_agrees_on_its_routes(byte[] history, bool replicated)
    {
        var options = new PlanOptions(Replicas: replicated ? 2 : 1);
        var cluster = SimulatedCluster.Ready(3, options);
        foreach (var happening in history) Happen(cluster, happening % 8, happening / 8);
        while (cluster.Alive.Count < 3) cluster.Up(cluster.Add());
        cluster.Turn(4);

        Assert.Equal((ClusterState.Ready, ""), (cluster.State.State, cluster.State.State == ClusterState.Ready ? "" : cluster.State.Reason));
        var plan = cluster.State.Plan;
        PlanAssert.Valid(cluster.Shape, cluster.State.Devices, options, plan);
        Assert.All(cluster.Alive.Values, n => Assert.Equal(plan.Epoch, n.PlanEpoch));
        var routes = Assert.Single(cluster.Alive.Values.Select(n => n.Routes!).DistinctBy(r => (r.PlanEpoch, r.Version)));
        Assert.Equal(plan.Stages, routes.Stages.Select(s => s.Placement));
        Assert.Equal(plan.Shards, routes.Shards.Select(s => s.Placement));
        cluster.Turn();
        Assert.DoesNotContain(cluster.Effects, e => e is not SupervisorEffect.PublishRoutes);
    }

    [Property(MaxTest = 60, EndSize = 50)]
    public void While_anybody_remembers_them_epochs_and_versions_only_grow(byte[] history)
    {
        var cluster = SimulatedCluster.Ready();
        var highest = (0L, 0L);
        foreach (var happening in history)
        {
            Happen(cluster, happening % 8, happening / 8);
            // The supervisor and all that took part in its plans are dead: a new cluster begins.
            if (happening % 8 == 4 && cluster.Alive.Values.All(n => n.PlanEpoch == 0)) highest = (0, 0);
            foreach (var routes in cluster.Of<SupervisorEffect.PublishRoutes>().Select(p => p.Routes))
            {
                Assert.True((routes.PlanEpoch, routes.Version).CompareTo(highest) >= 0, $"{(routes.PlanEpoch, routes.Version)} after {highest}");
                highest = (routes.PlanEpoch, routes.Version);
            }

            foreach (var assign in cluster.Of<SupervisorEffect.AssignTo>().Select(a => a.Assign.Plan))
            {
                Assert.Equal(cluster.State.Plan.Epoch, assign.Epoch);
                Assert.All(assign.Shards, s => Assert.InRange(s.Epoch, 1, assign.Epoch));
                Assert.All(assign.PipelineEpochs, e => Assert.InRange(e, 1, assign.Epoch));
            }
        }
    }

    private static void Happen(SimulatedCluster cluster, int what, int which)
    {
        var nodes = cluster.Alive.Values.OrderBy(n => n.Id.Uid).ToImmutableArray();
        var node = nodes[which % nodes.Length];
        switch (what)
        {
            case 0:
                var joining = cluster.Add();
                cluster.Up(joining);
                if (which % 2 == 0) cluster.Offer(joining);
                break;
            case 1 when nodes.Length > 1:
                cluster.Lose(node);
                break;
            case 2:
                cluster.Turn();
                break;
            case 3:
                node.Load();
                cluster.Offer(node);
                break;
            case 4:
                cluster.FailOver();
                cluster.Offer(nodes.MaxBy(n => n.PlanEpoch)!);
                break;
            case 5 when node.Offer() is { Stages.Length: > 0 } or { Shards.Length: > 0 }:
                node.Fail("disk error");
                cluster.Offer(node);
                break;
            case 6:
                cluster.Offer(node);
                break;
            default:
                cluster.Tick(which * 50);
                break;
        }
    }
}
