using System.Collections.Frozen;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The nodes of the newest plan that this node knows, and where their lanes listen.</summary>
internal sealed record LanePlan(long Epoch, FrozenDictionary<NodeId, LaneEndpoint> Peers)
{
    public static LanePlan None { get; } = new(0, FrozenDictionary<NodeId, LaneEndpoint>.Empty);
}
