using ActorLlama.Protocol;

namespace ActorLlama.Planning.Supervision;

/// <summary>What a supervisor learns.</summary>
public abstract record SupervisorEvent
{
    private SupervisorEvent()
    {
    }

    public sealed record OfferReceived(NodeProtocol.Offer Offer) : SupervisorEvent;

    /// <summary>The node is a member of the cluster. Told once for each member when the supervisor starts, too.</summary>
    public sealed record MemberUp(NodeId Node) : SupervisorEvent;

    /// <summary>The node was removed or downed; this incarnation never comes back. <paramref name="Left"/>: it said goodbye.</summary>
    public sealed record MemberLost(NodeId Node, bool Left = false) : SupervisorEvent;

    /// <summary>The process of that member is gone; its membership ends now, and is told as <see cref="MemberLost"/>.</summary>
    public sealed record ProcessGone(NodeId Node) : SupervisorEvent;

    /// <summary>Parts are to move to nodes that hold less. Nothing happens unless the cluster is Ready.</summary>
    public sealed record RebalanceAsked : SupervisorEvent;

    /// <summary>Time passes: several times a second.</summary>
    public sealed record Tick : SupervisorEvent;
}
