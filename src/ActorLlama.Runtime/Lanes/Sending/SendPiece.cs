namespace ActorLlama.Runtime.Lanes;

/// <summary>What to write next: a message's header, or bytes [Offset, Offset + Count) of its payload.</summary>
internal readonly record struct SendPiece(Outgoing Item, bool IsHeader, int Offset, int Count, bool IsLast);
