using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>A message of this node with a payload inside: <see cref="PayloadReaper"/> disposes it when nobody receives the message.</summary>
internal interface IPayloadHolder
{
    Payload? Payload { get; }
}
