using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>To subscribers: all connections with that node have ended. What was on its way to it fails by <see cref="LaneFailed"/>.</summary>
internal sealed record LanePeerLost(NodeId Node, string Reason) : INoSerializationVerificationNeeded;
