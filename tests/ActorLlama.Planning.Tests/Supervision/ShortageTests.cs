using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>A device that holds its parts and again and again has too little memory to compute with them.</summary>
public sealed class ShortageTests
{
    private const string Shortage = "it ran out of memory 3 times within a minute while it computed: 1 GiB could not be had";

    [Fact]
    public void What_it_holds_goes_elsewhere_where_there_is_room_and_the_state_says_why()
    {
        var cluster = SimulatedCluster.Ready();
        var node = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        node.DeviceFault = Shortage;
        cluster.Offer(node);
        Assert.DoesNotContain(cluster.State.Plan.Stages, s => s.Device.Node == node.Id);
        Assert.DoesNotContain(cluster.State.Plan.Shards, s => s.Device.Node == node.Id);
        Assert.Contains(new SupervisorEffect.Note(EventKind.Fault, node.Name, $"device \"cpu:0\" is not used: {Shortage}"), cluster.Effects);
        var epoch = cluster.State.Plan.Epoch;
        cluster.Turn(3);
        Assert.Equal((ClusterState.Ready, epoch), (cluster.State.State, cluster.State.Plan.Epoch));
        Assert.EndsWith($"; device \"cpu:0\" of node \"{node.Name}\" is not used: {Shortage}", cluster.State.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_supervisor_hears_of_it_too()
    {
        var cluster = SimulatedCluster.Ready();
        var node = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        node.DeviceFault = Shortage;
        cluster.FailOver();
        cluster.Turn(4);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.DoesNotContain(cluster.State.Plan.Stages, s => s.Device.Node == node.Id);
    }

    [Fact]
    public void When_it_says_so_no_more_it_may_be_used_again_and_nothing_moves_there_by_itself()
    {
        var cluster = SimulatedCluster.Ready();
        var node = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        node.DeviceFault = Shortage;
        cluster.Offer(node);
        cluster.Turn(3);
        node.DeviceFault = null;
        cluster.Offer(node);
        Assert.Contains(new SupervisorEffect.Note(EventKind.State, node.Name, "device \"cpu:0\" may be used again: it has not failed for a while"), cluster.Effects);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.DoesNotContain("is not used", cluster.State.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(cluster.State.Plan.Stages, s => s.Device.Node == node.Id);

        foreach (var other in cluster.Alive.Values.Where(n => n != node).ToArray()) cluster.Lose(other);
        cluster.Turn(6);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.All(cluster.State.Plan.Stages, s => Assert.Equal(node.Id, s.Device.Node));
    }

    [Fact]
    public void A_new_supervisor_gives_it_nothing_of_what_was_lost()
    {
        var cluster = SimulatedCluster.Ready();
        var node = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        node.DeviceFault = Shortage;
        cluster.Offer(node);
        cluster.Turn(3);
        cluster.Lose(cluster.Alive[cluster.State.Plan.Stages[0].Device.Node]);
        cluster.FailOver();
        for (var second = 0; second < 6; second++)
        {
            cluster.Turn();
            Assert.DoesNotContain(cluster.State.Plan.Stages, s => s.Device.Node == node.Id);
            Assert.DoesNotContain(cluster.State.Plan.Shards, s => s.Device.Node == node.Id);
        }

        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.EndsWith($"is not used: {Shortage}", cluster.State.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nothing_else_has_room_it_is_used_until_a_node_joins()
    {
        var cluster = SimulatedCluster.Ready(1);
        var node = cluster.Alive.Values.Single();
        node.DeviceFault = Shortage;
        cluster.Offer(node);
        var told = new SupervisorEffect.Note(EventKind.Fault, node.Name, $"device \"cpu:0\" is used, for the others have no room: {Shortage}");
        Assert.Contains(told, cluster.Effects);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.EndsWith($"; device \"cpu:0\" of node \"{node.Name}\" is used, for the others have no room: {Shortage}", cluster.State.Reason, StringComparison.Ordinal);
        cluster.Offer(node);
        Assert.DoesNotContain(told, cluster.Effects);

        cluster.Up(cluster.Add());
        cluster.Turn(4);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.DoesNotContain(cluster.State.Plan.Stages, s => s.Device.Node == node.Id);
        Assert.EndsWith($"is not used: {Shortage}", cluster.State.Reason, StringComparison.Ordinal);
    }
}
