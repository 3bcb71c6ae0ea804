using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>Devices that failed, when there are no others.</summary>
public sealed class LastResortTests
{
    private const string Why = "CUDA out of memory";

    [Fact]
    public void A_device_that_failed_is_used_when_the_others_are_lost()
    {
        var cluster = SimulatedCluster.Ready();
        var failed = cluster.Alive.Values.First(n => cluster.State.Plan.Shards.Any(s => s.Device.Node == n.Id));
        failed.Fail(Why, isOfDevice: true);
        cluster.Offer(failed);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        foreach (var other in cluster.Alive.Values.Where(n => n != failed).ToArray()) cluster.Lose(other);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        cluster.Tick(100);
        Assert.Contains(new SupervisorEffect.Note(EventKind.State, failed.Name, $"device \"cpu:0\" is tried again, for the others have no room: {Why}"), cluster.Effects);
        cluster.Turn(3);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.All(cluster.State.Plan.Stages, s => Assert.Equal(failed.Id, s.Device.Node));
    }

    [Fact]
    public void While_all_fail_they_are_tried_with_longer_and_longer_pauses_and_serve_once_they_can()
    {
        var cluster = SimulatedCluster.Ready(nodes: 1);
        var node = cluster.Alive.Values.Single();
        var tries = Fail(cluster, node, seconds: 300);
        // After 1, 2, 4, 8, 16, 32 s, then every minute; the first at once.
        Assert.InRange(tries, 8, 12);
        node.Load();
        cluster.Turn(70);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        Assert.Equal(0, cluster.State.Tries);
    }

    /// <summary>So many seconds in which whatever the node is to load fails; how often the supervisor tried.</summary>
    private static int Fail(SimulatedCluster cluster, SimulatedNode node, int seconds)
    {
        var tries = 0;
        node.Fail(Why, isOfDevice: true);
        cluster.Offer(node);
        Assert.Equal(ClusterState.Degraded, cluster.State.State);
        for (var ms = 0; ms < 1000 * seconds; ms += 100)
        {
            cluster.Tick(100);
            if (!cluster.Of<SupervisorEffect.Note>().Any(n => n.Text.Contains("is tried again", StringComparison.Ordinal))) continue;
            tries++;
            node.Fail(Why, isOfDevice: true);
            cluster.Offer(node);
            Assert.Equal(ClusterState.Degraded, cluster.State.State);
        }

        return tries;
    }
}
