using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Planning.Tests.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

/// <summary>Nodes, a supervisor's state and a clock; effects reach the nodes at once.</summary>
internal sealed class SimulatedCluster
{
    private int _nodes;

    public SimulatedCluster(PlanOptions? plan = null, int expected = 3, long memoryBytes = Devices.GiB, ModelShape? shape = null, int maxReplicas = 0, long? replicateEveryMs = null)
    {
        Options = new SupervisorOptions(plan ?? new PlanOptions(), expected) { MaxReplicas = maxReplicas, ReplicateEveryMs = replicateEveryMs };
        MemoryBytes = memoryBytes;
        Shape = shape ?? Shapes.Tiny(6, 8);
        State = SupervisorState.Start(Options, Now);
    }

    public SupervisorOptions Options { get; }

    public long MemoryBytes { get; }

    public ModelShape Shape { get; }

    public SupervisorState State { get; private set; }

    public long Now { get; private set; } = 1_000;

    public Dictionary<NodeId, SimulatedNode> Alive { get; } = [];

    /// <summary>Effects of the last event.</summary>
    public ImmutableArray<SupervisorEffect> Effects { get; private set; } = [];

    public SimulatedNode Add()
    {
        var number = ++_nodes;
        var node = new SimulatedNode(new NodeId($"akka.tcp://actorllama@10.0.0.{number}:4053", number), $"n{number}", Shape, MemoryBytes);
        Alive.Add(node.Id, node);
        return node;
    }

    public SimulatedNode[] Add(int count) => [.. Enumerable.Range(0, count).Select(_ => Add())];

    /// <summary>Members, offers, plan, loads: a cluster that is Ready.</summary>
    public static SimulatedCluster Ready(
        int nodes = 3, PlanOptions? plan = null, long memoryBytes = Devices.GiB, ModelShape? shape = null, int maxReplicas = 0, long? replicateEveryMs = null)
    {
        var cluster = new SimulatedCluster(plan, nodes, memoryBytes, shape, maxReplicas, replicateEveryMs);
        foreach (var node in cluster.Add(nodes)) cluster.Up(node);
        cluster.Turn(4);
        Assert.Equal(ClusterState.Ready, cluster.State.State);
        return cluster;
    }

    public void Up(SimulatedNode node) => Happens(new SupervisorEvent.MemberUp(node.Id));

    public void Offer(SimulatedNode node) => Happens(new SupervisorEvent.OfferReceived(node.Offer()));

    public void Tick(long ms = 0)
    {
        Now += ms;
        Happens(new SupervisorEvent.Tick());
    }

    public void Lose(SimulatedNode node)
    {
        Alive.Remove(node.Id);
        Happens(new SupervisorEvent.MemberLost(node.Id));
    }

    /// <summary>A supervisor starts anew elsewhere and learns of the members.</summary>
    public void FailOver()
    {
        State = SupervisorState.Start(Options, Now);
        foreach (var node in Alive.Values) Up(node);
    }

    /// <summary>A second passes as often as given: every node loads what it can and offers, and ticks come.</summary>
    public void Turn(int seconds = 1)
    {
        for (var i = 0; i < seconds; i++)
        {
            Now += 500;
            foreach (var node in Alive.Values.ToArray())
            {
                node.Load();
                Offer(node);
            }

            Tick(500);
        }
    }

    public void Happens(SupervisorEvent happened)
    {
        (State, Effects) = SupervisorRules.Step(State, happened, Now);
        foreach (var effect in Effects) Perform(effect);
    }

    public T[] Of<T>()
        where T : SupervisorEffect => [.. Effects.OfType<T>()];

    private void Perform(SupervisorEffect effect)
    {
        switch (effect)
        {
            case SupervisorEffect.AssignTo assign:
                foreach (var node in assign.Nodes)
                    if (Alive.TryGetValue(node, out var alive)) alive.Receive(assign.Assign);
                break;
            case SupervisorEffect.Serve { Message: var serve }:
                if (Alive.TryGetValue(State.Plan.Shards.Single(s => (s.Shard, s.Replica) == (serve.Shard, serve.Replica)).Device.Node, out var owner)) owner.Serve(serve);
                break;
            case SupervisorEffect.PublishRoutes publish:
                foreach (var node in publish.Nodes)
                    if (Alive.TryGetValue(node, out var alive)) alive.Receive(publish.Routes);
                break;
        }
    }
}
