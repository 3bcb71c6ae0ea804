using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>All nodes start again, one after the other.</summary>
public sealed class RollTests
{
    private const int MostSteps = 400;

    [Property(MaxTest = 60, EndSize = 60)]
    public void Every_node_is_replaced_once_and_every_part_serves_at_every_moment(byte[] history, byte nodes, bool replicated, bool twoPipelines)
    {
        var cluster = SimulatedCluster.Ready(3 + (nodes % 3), new PlanOptions(Pipelines: twoPipelines ? 2 : 1, Replicas: replicated ? 2 : 1));
        var first = cluster.Alive.Keys.ToArray();
        var supervisor = first[nodes % first.Length];
        var order = RollRules.Order(SupervisorRules.Status(cluster.State, supervisor));
        Assert.Equal(first.ToHashSet(), [.. order]);
        Assert.Equal(supervisor, order[^1]);
        var ended = new List<NodeId>();
        SimulatedNode? away = null;
        for (var i = 0; i < MostSteps; i++)
        {
            var step = RollRules.Next(order, SupervisorRules.Status(cluster.State, supervisor));
            if (step is RollStep.Done) break;
            switch (i < history.Length ? history[i] % 5 : i % 2)
            {
                case 0: cluster.Turn(); break;
                case 1: Do(step); break;
                case 2: cluster.Tick(history[i]); break;
                case 3: cluster.FailOver(); break;
                default: Return(); break;
            }

            if (i >= history.Length) Return();
            if (cluster.State.State is ClusterState.Ready or ClusterState.Rebalancing)
                Assert.Equal(cluster.State.Plan.ExpertShards, cluster.Alive.Values.Select(n => n.Routes).OfType<NodeProtocol.Routes>().MaxBy(r => (r.PlanEpoch, r.Version))!.Shards.Select(s => s.Placement.Shard).Distinct().Count());
            Assert.NotEqual(ClusterState.Degraded, cluster.State.State);
        }

        Assert.Equal(order, ended);
        Assert.IsType<RollStep.Done>(RollRules.Next(order, SupervisorRules.Status(cluster.State, cluster.Alive.Keys.First())));
        Assert.Equal((first.Length, ClusterState.Ready), (cluster.Alive.Count, cluster.State.State));

        void Do(RollStep step)
        {
            switch (step)
            {
                case RollStep.Drain drain:
                    cluster.Alive[drain.Node.Node].IsLeaving = true;
                    cluster.Offer(cluster.Alive[drain.Node.Node]);
                    break;
                case RollStep.Restart restart:
                    Assert.Null(RestartRules.Answer(cluster.State, new(restart.Node.Node.HostAndPort)).Answer.Refusal);
                    Assert.Null(away);
                    away = cluster.Alive[restart.Node.Node];
                    ended.Add(away.Id);
                    cluster.Lose(away);
                    if (supervisor != away.Id) break;
                    supervisor = cluster.Alive.Keys.First();
                    cluster.FailOver();
                    break;
            }
        }

        void Return()
        {
            if (away is null) return;
            away = null;
            cluster.Up(cluster.Add());
        }
    }

    [Fact]
    public void Those_that_hold_least_are_first_and_the_supervisors_last()
    {
        var cluster = SimulatedCluster.Ready(3, new PlanOptions(ExpertShards: 1));
        cluster.Up(cluster.Add());
        cluster.Turn(2);
        var status = SupervisorRules.Status(cluster.State, cluster.State.Plan.Shards[0].Device.Node);
        var bytes = RollRules.Order(status).Select(id => status.Plan.Stages.Where(s => s.Device.Node == id).Sum(s => s.WeightBytes)
            + status.Plan.Shards.Where(s => s.Device.Node == id).Sum(s => s.WeightBytes)).ToArray();

        Assert.Equal(0, bytes[0]);
        Assert.Equal(bytes[..^1].Order(), bytes[..^1]);
        Assert.Equal(status.Supervisor, RollRules.Order(status)[^1]);
    }

    [Fact]
    public void Nodes_that_only_train_have_nothing_to_move()
    {
        var state = SupervisorState.Start(new SupervisorOptions(new PlanOptions(), ExpectedNodes: 1) { Serves = false }, 0);
        var node = new SimulatedNode(new NodeId("akka.tcp://actorllama@10.0.0.1:4053", 1), "n1", Shapes.Tiny(6, 8), memoryBytes: 1) { IsLeaving = true };
        foreach (var happened in (SupervisorEvent[])[new SupervisorEvent.MemberUp(node.Id), new SupervisorEvent.OfferReceived(node.Offer())])
            (state, _) = SupervisorRules.Step(state, happened, 0);

        Assert.Empty(DrainRules.Answer(state, new(node.Name, Undo: false, DryRun: true)).Answer.Moves);
        Assert.Null(RestartRules.Answer(state, new(node.Name)).Answer.Refusal);
    }

    [Fact]
    public void What_holds_something_or_is_not_drained_does_not_start_again()
    {
        var cluster = SimulatedCluster.Ready(4);
        var node = cluster.Alive[cluster.State.Plan.Stages[0].Device.Node];
        string? Refusal() => RestartRules.Answer(cluster.State, new(node.Name)).Answer.Refusal;

        Assert.Equal($"Restart: node \"{node.Name}\" is not drained. Drain it first.", Refusal());
        node.IsLeaving = true;
        cluster.Offer(node);
        Assert.StartsWith($"Restart: node \"{node.Name}\" still holds parts of the model", Refusal(), StringComparison.Ordinal);
        cluster.Turn(3);
        Assert.Null(Refusal());
        Assert.StartsWith("Restart: no node is \"n9\".", RestartRules.Answer(cluster.State, new("n9")).Answer.Refusal, StringComparison.Ordinal);
    }
}
