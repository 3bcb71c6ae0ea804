using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

public sealed class SupervisorFormationTests
{
    [Fact]
    public void A_new_cluster_waits_for_the_offers_of_the_expected_members()
    {
        var cluster = new SimulatedCluster(expected: 3);
        var nodes = cluster.Add(3);
        foreach (var node in nodes) cluster.Offer(node);
        Assert.Equal(ClusterState.Forming, cluster.State.State);
        cluster.Up(nodes[0]);
        cluster.Up(nodes[1]);
        Assert.Contains("2 of 3", cluster.State.Reason, StringComparison.Ordinal);
        cluster.Tick(60_000);
        Assert.Equal(ClusterState.Forming, cluster.State.State);
        cluster.Up(nodes[2]);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
    }

    [Fact]
    public void Forming_assigns_the_plan_to_all_and_has_every_shard_placed_and_served()
    {
        var cluster = new SimulatedCluster(expected: 2);
        var nodes = cluster.Add(2);
        foreach (var node in nodes) cluster.Up(node);
        cluster.Offer(nodes[0]);
        Assert.Equal(new SupervisorEffect.Note(EventKind.Joined, "n1", "it joined"), cluster.Effects[0]);
        Assert.Single(cluster.Effects.Skip(1));
        cluster.Offer(nodes[1]);

        var assign = Assert.Single(cluster.Of<SupervisorEffect.AssignTo>());
        Assert.Equal(nodes.Select(n => n.Id), assign.Nodes.AsEnumerable());
        Assert.Equal(1, assign.Assign.Plan.Epoch);
        Assert.Equal(["n1", "n2"], assign.Assign.Nodes.Select(n => n.Name));
        Assert.Equal([(0, 0), (1, 0)], assign.Assign.Plan.Shards.Select(p => (p.Shard, p.Replica)));
        Assert.Equal(["0-0", "1-0"], cluster.Of<SupervisorEffect.Serve>().Select(s => s.Message.EntityId));
        var report = Assert.Single(cluster.Of<SupervisorEffect.Report>());
        Assert.Equal((ClusterState.Loading, "0 of 3 parts of the model are loaded, since the cluster formed"), (report.State, report.Reason));
        var routes = Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>()).Routes;
        Assert.Equal((1, 1, ClusterState.Loading), (routes.PlanEpoch, routes.Version, routes.State));
        Assert.Empty(routes.Stages);
    }

    [Fact]
    public void It_is_ready_only_when_every_part_is_loaded()
    {
        var cluster = new SimulatedCluster(new PlanOptions(Stages: 2, ExpertShards: 2), expected: 1);
        var node = cluster.Add();
        cluster.Up(node);
        cluster.Offer(node);
        (Action Load, long Version)[] steps =
            [(() => node.LoadStage((0, 0)), 2), (() => node.LoadStage((0, 1)), 3), (() => node.LoadShard((0, 0)), 4), (() => node.LoadShard((1, 0)), 5)];
        foreach (var (load, version) in steps)
        {
            Assert.Equal(ClusterState.Loading, cluster.State.State);
            var before = LoadProgress.Of(cluster.State.Plan, cluster.State.Nodes);
            load();
            cluster.Offer(node);
            var after = LoadProgress.Of(cluster.State.Plan, cluster.State.Nodes);
            Assert.True(before.LoadedBytes < after.LoadedBytes && before.TotalBytes == after.TotalBytes);
            Assert.Equal(version, Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>()).Routes.Version);
        }

        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal((2, 2), (node.Routes!.Stages.Length, node.Routes.Shards.Length));
        Assert.Equal(ClusterState.Ready, node.Routes.State);
        Assert.Equal((Shapes.WeightBytes(cluster.Shape), Shapes.WeightBytes(cluster.Shape)), LoadProgress.Of(cluster.State.Plan, cluster.State.Nodes));
    }

    [Fact]
    public void A_first_stage_without_its_scheduler_is_not_loaded()
    {
        var cluster = SimulatedCluster.Ready(1);
        var offer = cluster.Alive.Values.Single().Offer();
        cluster.Happens(new SupervisorEvent.OfferReceived(offer with { Stages = [offer.Stages[0] with { Scheduler = null }] }));
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        Assert.Empty(Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>()).Routes.Stages);
    }

    [Fact]
    public void What_is_held_under_another_epoch_does_not_count()
    {
        var cluster = SimulatedCluster.Ready(1);
        var offer = cluster.Alive.Values.Single().Offer();
        cluster.Happens(new SupervisorEvent.OfferReceived(offer with { Stages = [offer.Stages[0] with { PlanEpoch = 0 }] }));
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        cluster.Happens(new SupervisorEvent.OfferReceived(offer));
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        cluster.Happens(new SupervisorEvent.OfferReceived(offer with { Shards = [offer.Shards[0] with { RouteEpoch = 0 }] }));
        Assert.Equal(ClusterState.Loading, cluster.State.State);
    }

    [Fact]
    public void Offers_that_only_count_have_no_effects()
    {
        var cluster = SimulatedCluster.Ready();
        foreach (var node in cluster.Alive.Values)
        {
            node.ComputeRows(_ => 100);
            cluster.Offer(node);
            Assert.Empty(cluster.Effects);
            cluster.Offer(node);
            Assert.Empty(cluster.Effects);
        }

        Assert.Equal(100, SupervisorRules.Status(cluster.State, default).Nodes.SelectMany(n => n.Shards).Max(s => s.RowsComputed));
    }

    [Fact]
    public void What_is_not_acknowledged_is_sent_again_but_not_in_a_hurry()
    {
        var cluster = new SimulatedCluster(expected: 1);
        var node = cluster.Add();
        cluster.Up(node);
        var deaf = node.Offer();
        cluster.Happens(new SupervisorEvent.OfferReceived(deaf));
        Assert.Single(cluster.Of<SupervisorEffect.AssignTo>());
        cluster.Happens(new SupervisorEvent.OfferReceived(deaf));
        Assert.Empty(cluster.Effects);
        cluster.Tick(299);
        Assert.Empty(cluster.Effects);
        cluster.Tick(1);
        Assert.Equal([node.Id], Assert.Single(cluster.Of<SupervisorEffect.AssignTo>()).Nodes.AsEnumerable());
        Assert.Single(cluster.Of<SupervisorEffect.Serve>());
        cluster.Tick(299);
        Assert.Empty(cluster.Effects);
        cluster.Offer(node);
        cluster.Tick(300);
        Assert.Empty(cluster.Effects);
    }

    [Fact]
    public void Unchanged_routes_are_published_again_after_a_while_with_the_same_version()
    {
        var cluster = SimulatedCluster.Ready();
        cluster.Tick(1_000);
        var first = Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>());
        Assert.Equal(3, first.Nodes.Length);
        cluster.Tick(999);
        Assert.Empty(cluster.Effects);
        cluster.Tick(1);
        Assert.Equal(first.Routes, Assert.Single(cluster.Of<SupervisorEffect.PublishRoutes>()).Routes);
    }

    public static TheoryData<string, string, string> Disagreements => new()
    {
        { "protocol", "\"99\"", "\"1\"" },
        { "digest", "\"digest-b\"", "\"digest-a\"" },
        { "fingerprint", "\"fingerprint-b\"", "\"fingerprint-a\"" },
        { "experts", "\"9\"", "\"8\"" },
        { "layer", "TrunkBytes = 301", "TrunkBytes = 300" },
    };

    [Theory]
    [MemberData(nameof(Disagreements))]
    public void A_node_with_another_model_is_refused_and_both_values_are_named(string what, string theirs, string ours)
    {
        var cluster = new SimulatedCluster(expected: 2);
        var nodes = cluster.Add(3);
        foreach (var node in nodes) cluster.Up(node);
        cluster.Offer(nodes[0]);
        var offer = nodes[1].Offer();
        offer = what switch
        {
            "protocol" => offer with { Model = offer.Model with { ProtocolVersion = 99 } },
            "digest" => offer with { Model = offer.Model with { CheckpointDigest = "digest-b" } },
            "fingerprint" => offer with { Model = offer.Model with { NumericFingerprint = "fingerprint-b" } },
            "experts" => offer with { Shape = offer.Shape with { Experts = 9 } },
            _ => offer with { Shape = offer.Shape with { Layers = offer.Shape.Layers.SetItem(0, offer.Shape.Layers[0] with { TrunkBytes = 301 }) } },
        };
        cluster.Happens(new SupervisorEvent.OfferReceived(offer));
        var refuse = Assert.Single(cluster.Of<SupervisorEffect.Refuse>());
        Assert.Equal(nodes[1].Id, refuse.Node);
        Assert.Contains(theirs, refuse.Reason, StringComparison.Ordinal);
        Assert.Contains(ours, refuse.Reason, StringComparison.Ordinal);
        Assert.Contains("\"n2\"", refuse.Reason, StringComparison.Ordinal);
        Assert.Contains(refuse.Reason, cluster.State.Reason, StringComparison.Ordinal);
        cluster.Offer(nodes[2]);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
        Assert.False(PlanAssert.Holds(cluster.State.Plan, nodes[1].Id));
    }

    [Fact]
    public void A_node_that_names_a_device_twice_is_refused()
    {
        var cluster = new SimulatedCluster(expected: 1);
        var node = cluster.Add();
        cluster.Up(node);
        var offer = node.Offer();
        cluster.Happens(new SupervisorEvent.OfferReceived(offer with { Devices = [.. offer.Devices, .. offer.Devices] }));
        Assert.Contains("\"cpu:0\" 2 times", Assert.Single(cluster.Of<SupervisorEffect.Refuse>()).Reason, StringComparison.Ordinal);
        cluster.Offer(node);
        Assert.Equal(ClusterState.Loading, cluster.State.State);
    }

    [Fact]
    public void When_all_that_agreed_are_gone_another_model_may_come()
    {
        var cluster = new SimulatedCluster(expected: 2);
        var nodes = cluster.Add(2);
        nodes[1].Model = nodes[1].Model with { CheckpointDigest = "digest-b" };
        foreach (var node in nodes) cluster.Up(node);
        cluster.Offer(nodes[0]);
        cluster.Offer(nodes[1]);
        Assert.Single(cluster.Of<SupervisorEffect.Refuse>());
        cluster.Lose(nodes[0]);
        cluster.Offer(nodes[1]);
        Assert.Empty(cluster.Of<SupervisorEffect.Refuse>());
        Assert.Equal("1 of 2 nodes have offered themselves", cluster.State.Reason);
    }

    [Fact]
    public void A_model_that_does_not_fit_is_refused_before_loading_with_bytes_per_device()
    {
        var cluster = new SimulatedCluster(expected: 2, memoryBytes: 1_000);
        var nodes = cluster.Add(2);
        foreach (var node in nodes) cluster.Up(node);
        foreach (var node in nodes) cluster.Offer(node);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        Assert.Contains("are missing", cluster.State.Reason, StringComparison.Ordinal);
        Assert.Contains("\"n1\" cpu:0 would need", cluster.State.Reason, StringComparison.Ordinal);
        Assert.Contains("has 1000", cluster.State.Reason, StringComparison.Ordinal);
        Assert.Empty(cluster.Of<SupervisorEffect.AssignTo>());
        Assert.Single(cluster.Of<SupervisorEffect.Report>());
        Assert.Equal(ClusterState.Degraded, nodes[0].Routes!.State);
    }

    [Fact]
    public void Roles_are_honoured()
    {
        var cluster = new SimulatedCluster(expected: 3);
        var nodes = cluster.Add(3);
        nodes[0].Roles = ["trunk", "control"];
        nodes[1].Roles = ["experts"];
        nodes[2].Roles = ["control"];
        foreach (var node in nodes) cluster.Up(node);
        foreach (var node in nodes) cluster.Offer(node);
        Assert.All(cluster.State.Plan.Stages, s => Assert.Equal(nodes[0].Id, s.Device.Node));
        Assert.All(cluster.State.Plan.Shards, s => Assert.Equal(nodes[1].Id, s.Device.Node));
    }
}
