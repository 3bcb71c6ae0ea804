namespace ActorLlama.Runtime.Lanes;

/// <summary>Why a message was not delivered. The values travel.</summary>
internal enum LaneFailure : byte
{
    /// <summary>The peer could not be reached.</summary>
    NoConnection = 0,

    /// <summary>The connection ended before the message was known to be processed, or before the request was answered: it may have been.</summary>
    ConnectionLost = 1,

    /// <summary>The target's node no longer has that actor.</summary>
    Gone = 2,

    /// <summary>The target's queue on this node is at its bound.</summary>
    QueueFull = 3,

    /// <summary>The peer refused the handshake; the detail names both sides' values.</summary>
    Refused = 4,

    /// <summary>Larger than the peer accepts.</summary>
    TooLarge = 5,

    /// <summary>This node's plan does not name the target's node.</summary>
    UnknownPeer = 6,

    /// <summary>The actor does not handle that message.</summary>
    Unhandled = 7,

    /// <summary>This node's lane has ended.</summary>
    Stopped = 8,

    /// <summary>No response within <see cref="LaneOptions.ResponseDeadline"/>.</summary>
    Unanswered = 9,

    /// <summary>
    /// As <see cref="ConnectionLost"/>, but a process that lives ended the connection, this one or the peer's: it heard nothing, its plan drops the other, it did not run for a while, or it leaves.
    /// </summary>
    Closed = 10,

    /// <summary>The receiving node has no memory for its payload.</summary>
    NoMemory = 11,
}
