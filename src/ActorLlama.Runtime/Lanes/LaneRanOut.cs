using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>To subscribers: this node had too little memory for what was sent to it, or for what it was to send.</summary>
internal sealed record LaneRanOut(string Why) : INoSerializationVerificationNeeded;
