using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// To the actor that sent <paramref name="Message"/>: it was not delivered, or nobody knows whether it was
/// (<see cref="LaneFailure.ConnectionLost"/>). Its payload has been disposed. A request that fails so is not answered any more.
/// </summary>
internal sealed record LaneFailed(LaneTarget To, ILaneMessage Message, LaneFailure Reason, string Detail = "") : INoSerializationVerificationNeeded;
