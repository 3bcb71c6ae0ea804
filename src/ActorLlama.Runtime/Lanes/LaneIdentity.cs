using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Who this node is on the lane, and what its peers must have too.</summary>
internal sealed record LaneIdentity(NodeId Self, NodeProtocol.ModelIdentity Model);
