namespace ActorLlama.Runtime.Lanes;

/// <summary>How a connection ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="IsDeliberate">A process that lives ended it, this one or the peer's, for silence say: that says nothing of what was under way. Else the peer's process or the network may have died.</param>
internal sealed record LaneEnding(string Reason, bool IsDeliberate);
