using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>To subscribers: a connection with that node exists, in either direction.</summary>
internal sealed record LanePeerUp(NodeId Node) : INoSerializationVerificationNeeded;
