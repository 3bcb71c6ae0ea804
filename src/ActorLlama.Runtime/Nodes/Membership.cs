using ActorLlama.Protocol;
using Akka.Cluster;

namespace ActorLlama.Runtime.Nodes;

/// <summary>Nodes as members of the cluster, by this node's view of it.</summary>
internal static class Membership
{
    public static NodeId IdOf(Member member) => new(member.Address.ToString(), member.UniqueAddress.Uid);

    /// <summary>The member, unless it is down or was never one.</summary>
    public static Member? Find(Cluster cluster, NodeId node) => cluster.State.Members.FirstOrDefault(m => IsCounted(m) && IdOf(m) == node);

    /// <summary>Neither down nor removed.</summary>
    public static bool IsCounted(Member member) => member.Status is not (MemberStatus.Down or MemberStatus.Removed);
}
