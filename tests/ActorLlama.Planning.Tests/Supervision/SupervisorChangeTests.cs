using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>Losses, joins, faults and take-overs.</summary>
public sealed class SupervisorChangeTests
{
    /// <summary>With 3,500 bytes per node the model needs three nodes.</summary>
    private static readonly PlanOptions SmallRoom = new(KvPositions: 40, KvSequences: 2);

    private static SimulatedNode HolderOf(SimulatedCluster cluster, Func<PlacementPlan, NodeId> which) => cluster.Alive[which(cluster.State.Plan)];

    [Fact]
    public void Losing_a_shards_node_moves_its_shards_and_nothing_else()
    {
        var cluster = SimulatedCluster.Ready();
        var before = cluster.State.Plan;
        var lost = HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node);
        cluster.Lose(lost);

        Assert.Equal(ClusterState.Loading, cluster.State.State);
        Assert.Contains($"node \"{lost.Name}\" was lost", cluster.State.Reason, StringComparison.Ordinal);
        var after = cluster.State.Plan;
        Assert.Equal(before.Epoch + 1, after.Epoch);
        Assert.Equal(before.PipelineEpochs, after.PipelineEpochs.AsEnumerable());
        Assert.Equal(before.Stages, after.Stages.AsEnumerable());
        Assert.Equal(
            before.Shards.Where(s => s.Device.Node == lost.Id).Select(s => s.Shard), after.Shards.Except(before.Shards).Select(s => s.Shard));
        Assert.Equal(2, Assert.Single(cluster.Of<SupervisorEffect.AssignTo>()).Nodes.Length);
        Assert.Equal(
            after.Shards.Except(before.Shards).Select(s => (s.Shard, s.Epoch)),
            cluster.Of<SupervisorEffect.Serve>().Select(s => (s.Message.Shard, s.Message.PlanEpoch)));
        var routes = Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>()).Routes;
        Assert.DoesNotContain(routes.Shards, s => s.Placement.Device.Node == lost.Id);
        Assert.Single(routes.Stages);
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void A_loss_is_noted_with_how_it_was_noticed_and_what_moves()
    {
        var cluster = SimulatedCluster.Ready();
        var before = cluster.State.Plan;
        var lost = HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node);
        cluster.Happens(new SupervisorEvent.ProcessGone(lost.Id));
        Assert.Empty(cluster.Effects);
        cluster.Lose(lost);
        var moved = cluster.State.Plan.Shards.Except(before.Shards)
            .Select(s => $"expert shard {s.Shard} replica 0 on {cluster.Alive[s.Device.Node].Name}");
        Assert.Equal(
            [
                new(EventKind.Lost, lost.Name, "its process is gone: its ports refused connections"),
                new(EventKind.Planned, "", $"plan {before.Epoch + 1}, because node \"{lost.Name}\" was lost; new: {string.Join(", ", moved)}"),
                new(EventKind.State, "", $"Loading: {cluster.State.Reason}"),
            ],
            cluster.Of<SupervisorEffect.Note>());
        cluster.Lose(lost);
        Assert.Empty(cluster.Of<SupervisorEffect.Note>());
    }

    [Fact]
    public void Losing_the_stages_node_gives_its_pipeline_a_new_epoch()
    {
        var cluster = SimulatedCluster.Ready(4, new PlanOptions(Pipelines: 2));
        var before = cluster.State.Plan;
        cluster.Lose(HolderOf(cluster, p => p.Stages[1].Device.Node));
        Assert.Equal([before.PipelineEpochs[0], before.Epoch + 1], cluster.State.Plan.PipelineEpochs.AsEnumerable());
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void Losing_a_node_that_holds_nothing_changes_nothing()
    {
        var cluster = SimulatedCluster.Ready();
        var spare = cluster.Add();
        cluster.Up(spare);
        cluster.Offer(spare);
        cluster.Turn();
        var before = cluster.State;
        cluster.Lose(spare);
        Assert.Equal(new SupervisorEffect.Note(EventKind.Lost, spare.Name, "nothing was heard of it for too long"), Assert.Single(cluster.Effects));
        Assert.Equal(before.Plan, cluster.State.Plan);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(3, SupervisorRules.Status(cluster.State, default).Nodes.Length);
    }

    [Fact]
    public void A_node_that_joins_when_ready_is_assigned_but_stays_spare()
    {
        var cluster = SimulatedCluster.Ready();
        var before = cluster.State.Plan;
        var spare = cluster.Add();
        cluster.Up(spare);
        cluster.Offer(spare);
        var assign = Assert.Single(cluster.Of<SupervisorEffect.AssignTo>());
        Assert.Contains(spare.Id, assign.Nodes);
        Assert.Equal(4, assign.Assign.Nodes.Length);
        Assert.Empty(cluster.Of<SupervisorEffect.Serve>());
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        PlanAssert.SamePlaces(before, cluster.State.Plan);
        Assert.Equal(ClusterState.Ready, spare.Routes!.State);
        cluster.Turn();
        Assert.All(cluster.Alive.Values, n => Assert.Equal(cluster.State.Plan.Epoch, n.PlanEpoch));
    }

    [Fact]
    public void Too_few_devices_degrade_with_the_bytes_until_a_node_joins()
    {
        var cluster = SimulatedCluster.Ready(plan: SmallRoom, memoryBytes: 3_500);
        var before = cluster.State.Plan;
        var lost = HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node);
        cluster.Lose(lost);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        Assert.Contains("bytes", cluster.State.Reason, StringComparison.Ordinal);
        Assert.Contains($"node \"{lost.Name}\" was lost", cluster.State.Reason, StringComparison.Ordinal);
        Assert.Empty(cluster.Of<SupervisorEffect.AssignTo>());
        Assert.Equal(ClusterState.Degraded, cluster.Alive.Values.First().Routes!.State);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);

        var helper = cluster.Add();
        cluster.Up(helper);
        cluster.Offer(helper);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        var after = cluster.State.Plan;
        Assert.Equal(before.Stages, after.Stages.AsEnumerable());
        Assert.All(after.Shards.Except(before.Shards), s => Assert.Equal(helper.Id, s.Device.Node));
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void A_node_that_comes_back_under_a_new_uid_takes_over_what_it_held()
    {
        var cluster = SimulatedCluster.Ready(plan: SmallRoom, memoryBytes: 3_500);
        cluster.Lose(HolderOf(cluster, p => p.Stages[0].Device.Node));
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        var again = cluster.Add();
        cluster.Offer(again);
        cluster.Up(again);
        Assert.Equal(again.Id, cluster.State.Plan.Stages[0].Device.Node);
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void Losses_and_joins_while_loading_end_ready()
    {
        var cluster = new SimulatedCluster(expected: 3);
        var nodes = cluster.Add(3);
        foreach (var node in nodes) cluster.Up(node);
        foreach (var node in nodes) cluster.Offer(node);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        cluster.Lose(nodes[1]);
        var late = cluster.Add();
        cluster.Up(late);
        cluster.Offer(late);
        cluster.Lose(nodes[0]);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(2, cluster.Alive.Count);
    }

    [Fact]
    public void A_fault_degrades_and_names_node_device_and_unit_until_it_is_mended()
    {
        var cluster = SimulatedCluster.Ready();
        var node = HolderOf(cluster, p => p.Shards[0].Device.Node);
        node.Fail("tensor \"x\" has a NaN");
        cluster.Offer(node);
        Assert.Equal(
            (ClusterState.Degraded, $"Loading failed: node \"{node.Name}\", device \"cpu:0\", expert shard 0 replica 0: tensor \"x\" has a NaN"),
            (cluster.State.State, cluster.State.Reason));
        Assert.Equal(2, node.Routes!.Shards.Length);
        node.Load();
        cluster.Offer(node);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void What_a_device_cannot_hold_goes_elsewhere_and_the_state_says_why_until_its_node_is_gone()
    {
        var cluster = SimulatedCluster.Ready();
        var node = HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node);
        node.Fail("input/output error", isOfDevice: true);
        cluster.Offer(node);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        Assert.DoesNotContain(cluster.State.Plan.Shards, s => s.Device.Node == node.Id);
        Assert.Contains(new SupervisorEffect.Note(EventKind.Fault, node.Name, "device \"cpu:0\" is not used: input/output error"), cluster.Effects);
        cluster.Turn(2);
        Assert.Equal(
            (ClusterState.Ready, $"all 4 parts of the model are loaded; device \"cpu:0\" of node \"{node.Name}\" is not used: input/output error"),
            (cluster.State.State, cluster.State.Reason));
        cluster.Lose(node);
        Assert.Equal((ClusterState.Ready, "all 4 parts of the model are loaded"), (cluster.State.State, cluster.State.Reason));
    }

    [Fact]
    public void A_node_with_which_a_majority_has_no_lane_is_planned_around_until_it_has()
    {
        var cluster = SimulatedCluster.Ready();
        var nodes = cluster.Alive.Values.ToArray();
        var stalled = HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node);
        var others = nodes.Where(n => n != stalled).ToArray();
        others[0].LanesLost = [stalled.Id];
        stalled.LanesLost = [.. others.Select(o => o.Id)];
        cluster.Turn();
        Assert.Equal("all 4 parts of the model are loaded", cluster.State.Reason);
        others[1].LanesLost = [stalled.Id];
        cluster.Turn(3);
        Assert.DoesNotContain(cluster.State.Plan.Shards, s => s.Device.Node == stalled.Id);
        Assert.Equal(
            (ClusterState.Ready, $"all 4 parts of the model are loaded; node \"{stalled.Name}\" is not used: its lanes stand still"), (cluster.State.State, cluster.State.Reason));
        foreach (var node in nodes) node.LanesLost = [];
        cluster.Turn(2);
        Assert.Equal((ClusterState.Ready, "all 4 parts of the model are loaded"), (cluster.State.State, cluster.State.Reason));
    }

    [Fact]
    public void A_device_fault_degrades_where_nothing_else_has_room()
    {
        var cluster = SimulatedCluster.Ready(1);
        var node = cluster.Alive.Values.Single();
        node.Fail("out of memory", isOfDevice: true);
        cluster.Offer(node);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        Assert.EndsWith("out of memory", cluster.State.Reason, StringComparison.Ordinal);
        node.Load();
        cluster.Offer(node);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void Late_offers_of_lost_nodes_and_stale_offers_are_ignored()
    {
        var cluster = SimulatedCluster.Ready();
        var nodes = cluster.Alive.Values.ToArray();
        var old = nodes[0].Offer();
        var dead = nodes[2].Offer();
        cluster.Lose(nodes[2]);
        cluster.Turn(2);
        var state = cluster.State;
        cluster.Happens(new SupervisorEvent.OfferReceived(dead));
        Assert.Same(state, cluster.State);
        cluster.Up(nodes[2]);
        Assert.Same(state, cluster.State);
        cluster.Happens(new SupervisorEvent.OfferReceived(old));
        Assert.Empty(cluster.Effects);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void A_replica_that_outlives_another_stays_as_it_is_and_the_next_node_gets_the_other()
    {
        var cluster = SimulatedCluster.Ready(2, new PlanOptions(Replicas: 2));
        var before = cluster.State.Plan;
        var lost = HolderOf(cluster, p => p.Shards.First(s => s.Replica == 0).Device.Node);
        cluster.Lose(lost);
        Assert.Equal(before.Shards.Where(s => s.Device.Node != lost.Id), cluster.State.Plan.Shards.AsEnumerable());
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        cluster.Up(cluster.Add());
        cluster.Turn(3);
        Assert.Equal(before.Shards.Select(s => (s.Shard, s.Replica)), cluster.State.Plan.Shards.Select(s => (s.Shard, s.Replica)));
        Assert.Subset(cluster.State.Plan.Shards.ToHashSet(), before.Shards.Where(s => s.Device.Node != lost.Id).ToHashSet());
    }

    [Fact]
    public void A_cluster_that_lost_the_devices_for_its_replicas_serves_with_fewer_and_says_so()
    {
        var options = new PlanOptions(Replicas: 2);
        var cluster = SimulatedCluster.Ready(2, options);
        cluster.Lose(cluster.Alive.Values.Last());
        cluster.Turn(4);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Contains("each expert shard 1 times instead of 2: devices for more are missing", cluster.State.Reason, StringComparison.Ordinal);

        cluster.Up(cluster.Add());
        cluster.Turn(4);
        PlanAssert.Valid(cluster.Shape, cluster.State.Devices, options, cluster.State.Plan);
        Assert.EndsWith("are loaded", cluster.State.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_supervisor_goes_on_with_what_is_held()
    {
        var cluster = SimulatedCluster.Ready(3, new PlanOptions(Stages: 2, Replicas: 2));
        var before = cluster.State.Plan;
        var routes = cluster.Alive.Values.First().Routes!;
        cluster.FailOver();
        Assert.Equal(ClusterState.Forming, cluster.State.State);
        foreach (var node in cluster.Alive.Values.ToArray()) cluster.Offer(node);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.True(cluster.State.Plan.Epoch > before.Epoch);
        PlanAssert.SamePlaces(before, cluster.State.Plan);
        Assert.Empty(cluster.Of<SupervisorEffect.Serve>());
        Assert.Single(cluster.Of<SupervisorEffect.AssignTo>());
        foreach (var node in cluster.Alive.Values)
        {
            Assert.True(node.Routes!.PlanEpoch > routes.PlanEpoch);
            Assert.Equal(routes.Shards, node.Routes.Shards.AsEnumerable());
        }
    }

    [Fact]
    public void A_new_supervisor_replaces_only_what_died_with_the_old_one()
    {
        var cluster = SimulatedCluster.Ready(4);
        var before = cluster.State.Plan;
        var lost = HolderOf(cluster, p => p.Stages[0].Device.Node);
        cluster.Alive.Remove(lost.Id);
        cluster.FailOver();
        foreach (var node in cluster.Alive.Values.ToArray()) cluster.Offer(node);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        var after = cluster.State.Plan;
        Assert.Equal(4, after.ExpertShards);
        Assert.Subset(after.Shards.ToHashSet(), before.Shards.Where(s => s.Device.Node != lost.Id).ToHashSet());
        Assert.Equal(after.Epoch, after.PipelineEpochs[0]);
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
    }

    [Fact]
    public void A_new_supervisor_waits_for_all_members_but_not_for_ever()
    {
        var cluster = SimulatedCluster.Ready();
        cluster.FailOver();
        var nodes = cluster.Alive.Values.ToArray();
        cluster.Offer(nodes[0]);
        cluster.Offer(nodes[1]);
        cluster.Tick(cluster.Options.FormationTimeoutMs - 1);
        Assert.Equal(ClusterState.Forming, cluster.State.State);
        cluster.Tick(1);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        Assert.False(PlanAssert.Holds(cluster.State.Plan, nodes[2].Id));
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(3, cluster.State.Nodes.Length);
    }

    [Fact]
    public void Nodes_that_join_during_a_take_over_do_not_make_it_a_new_cluster()
    {
        var cluster = SimulatedCluster.Ready();
        var before = cluster.State.Plan;
        cluster.FailOver();
        foreach (var joining in cluster.Add(3))
        {
            cluster.Up(joining);
            cluster.Offer(joining);
        }

        Assert.Equal(ClusterState.Forming, cluster.State.State);
        cluster.Turn(2);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        PlanAssert.SamePlaces(before, cluster.State.Plan);
    }

    [Fact]
    public void A_new_supervisor_that_finds_too_little_keeps_what_is_held_for_later()
    {
        var cluster = SimulatedCluster.Ready(plan: SmallRoom, memoryBytes: 3_500);
        var before = cluster.State.Plan;
        cluster.Alive.Remove(HolderOf(cluster, p => p.Shards.First(s => s.Device.Node != p.Stages[0].Device.Node).Device.Node).Id);
        cluster.FailOver();
        foreach (var node in cluster.Alive.Values.ToArray()) cluster.Offer(node);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        Assert.Equal(ClusterState.Degraded, cluster.Alive.Values.First().Routes!.State);
        var helper = cluster.Add();
        cluster.Up(helper);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(before.Stages, cluster.State.Plan.Stages.AsEnumerable());
        Assert.Equal(before.PipelineEpochs, cluster.State.Plan.PipelineEpochs.AsEnumerable());
    }

    [Fact]
    public void A_member_that_is_heard_late_keeps_what_it_holds_when_nothing_else_fits()
    {
        var cluster = SimulatedCluster.Ready(plan: SmallRoom, memoryBytes: 3_500);
        var before = cluster.State.Plan;
        var late = HolderOf(cluster, p => p.Shards[0].Device.Node);
        cluster.FailOver();
        foreach (var node in cluster.Alive.Values.Where(n => n != late).ToArray()) cluster.Offer(node);
        cluster.Tick(cluster.Options.FormationTimeoutMs);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        cluster.Offer(late);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        PlanAssert.SamePlaces(before, cluster.State.Plan);
    }

    [Fact]
    public void A_member_with_a_later_plan_makes_the_supervisor_go_beyond_it()
    {
        var cluster = SimulatedCluster.Ready();
        var offer = cluster.Alive.Values.First().Offer();
        cluster.Happens(new SupervisorEvent.OfferReceived(offer with { PlanEpoch = 50 }));
        Assert.Equal(51, cluster.State.Plan.Epoch);
        Assert.Equal(51, Assert.Single(cluster.Of<SupervisorEffect.AssignTo>()).Assign.Plan.Epoch);
    }
}
