using System.Collections.Immutable;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Configuration;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Experts;
using ActorLlama.Runtime.Sessions;
using ActorLlama.Runtime.Supervision;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Client;
using Akka.Cluster.Tools.Singleton;

namespace ActorLlama.Runtime.Nodes;

/// <summary>Composes the actors of one node; see the tree in the architecture document.</summary>
internal static class NodeActors
{
    public static void Start(ActorSystem system, NodeContext node, ImmutableArray<NodeDevice> devices, NodeEnd end)
    {
        var supervisor = system.ActorOf(
            ClusterSingletonProxy.Props(
                "/user/supervisor",
                ClusterSingletonProxySettings.Create(system).WithRole(NodeOptions.Control)),
            "supervisor-proxy");
        var nodeActor = system.ActorOf(NodeActor.Props(node, devices, supervisor, end), "node");
        if (node.Options.Cluster.DeclaresGone) system.ActorOf(LossWitness.Props(node, supervisor), "witness");
        system.ActorOf(SleepGuard.Props(node, Cluster.Get(system).Settings.FailureDetectorConfig.GetTimeSpan("acceptable-heartbeat-pause")), SleepGuard.Name);
        var experts = StartExperts(system, node, nodeActor);
        if (node.Options.Roles.Contains(NodeOptions.Control))
            system.ActorOf(
                ClusterSingletonManager.Props(
                    ClusterSupervisor.Props(node, experts), PoisonPill.Instance,
                    ClusterSingletonManagerSettings.Create(system).WithRole(NodeOptions.Control)),
                "supervisor");
        var sessions = StartSessions(system, node);
        var gate = system.ActorOf(GateActor.Props(node, sessions, supervisor), "gate");
        ClusterClientReceptionist.Get(system).RegisterService(gate);
    }

    /// <summary>Sessions live where stages may: they wait with these anyway, and the loss of any other node does not touch them.</summary>
    private static IActorRef StartSessions(ActorSystem system, NodeContext node)
    {
        var sharding = ClusterSharding.Get(system);
        return node.Options.Roles.Contains(NodeOptions.Trunk)
            ? sharding.Start(
                SessionRegion.Name, id => SessionActor.Props(node, new SessionId(id)),
                ClusterShardingSettings.Create(system).WithRole(NodeOptions.Trunk), new SessionRegion())
            : sharding.StartProxy(SessionRegion.Name, NodeOptions.Trunk, new SessionRegion());
    }

    private static IActorRef StartExperts(ActorSystem system, NodeContext node, IActorRef nodeActor)
    {
        var sharding = ClusterSharding.Get(system);
        var settings = ClusterShardingSettings.Create(system).WithRole(NodeOptions.Experts);
        return node.Options.Roles.Contains(NodeOptions.Experts)
            ? sharding.Start(
                ExpertRegion.Name, _ => ExpertShardActor.Props(nodeActor), settings, new ExpertRegion(),
                new PlannedAllocation(node.Board, Cluster.Get(system)), PoisonPill.Instance)
            : sharding.StartProxy(ExpertRegion.Name, NodeOptions.Experts, new ExpertRegion());
    }
}
