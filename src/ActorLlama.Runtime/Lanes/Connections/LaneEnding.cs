namespace ActorLlama.Runtime.Lanes;

/// <summary>How a connection ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="IsHere">This node ended it, for silence say: that says nothing of what was under way, and the peer may live. Else the peer or the network did.</param>
internal sealed record LaneEnding(string Reason, bool IsHere);
