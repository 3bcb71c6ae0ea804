namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// Classes of lane traffic. Each has its own queue, and chunks of different classes alternate on the wire; order is kept within one class
/// to one target, not between classes. All but responses need credit of the receiving actor.
/// </summary>
internal enum LaneClass : byte
{
    /// <summary>Small and urgent. Also what a response without a request it answers is sent as.</summary>
    Control = 0,

    /// <summary>Answers to a request: to its envelope's <c>ReplyTo</c>.</summary>
    Response = 1,

    /// <summary>Work, and whatever must stay in order with it. With a reply address it reserves room for one response.</summary>
    Request = 2,

    /// <summary>Large and patient; on a socket of its own.</summary>
    Bulk = 3,
}

internal static class LaneClasses
{
    public const int Count = 4;

    public static ReadOnlySpan<LaneClass> On(Protocol.LaneSocket socket) => socket == Protocol.LaneSocket.Bulk
        ? [LaneClass.Bulk]
        : [LaneClass.Control, LaneClass.Response, LaneClass.Request];

    public static Protocol.LaneSocket SocketOf(LaneClass laneClass) =>
        laneClass == LaneClass.Bulk ? Protocol.LaneSocket.Bulk : Protocol.LaneSocket.Main;
}
