using System.Collections.Immutable;
using MessagePack;

namespace ActorLlama.Protocol;

/// <summary>
/// The handshake of a lane connection. Ahead of it each side sends eight bytes of magic and its <see cref="ProtocolVersion"/> as four
/// bytes, little-endian, so that nodes of other versions understand at least why they are refused.
/// </summary>
public static class LaneProtocol
{
    /// <summary>
    /// Said by the node that opened the connection and will send on it. <paramref name="Association"/> counts the sender's associations
    /// with that peer: all sockets of one association end together. Answered by <see cref="Welcome"/> or <see cref="Refused"/>.
    /// </summary>
    [MessagePackObject]
    public sealed record Hello(
        [property: Key(0)] NodeId From,
        [property: Key(1)] NodeId To,
        [property: Key(2)] long PlanEpoch,
        [property: Key(3)] NodeProtocol.ModelIdentity Model,
        [property: Key(4)] LaneSocket Socket,
        [property: Key(5)] long Association) : IClusterMessage;

    /// <summary>
    /// Send within these bounds. <paramref name="Windows"/>, by class number: what may be on its way to one target; empty for responses,
    /// whose room the requester reserved.
    /// </summary>
    [MessagePackObject]
    public sealed record Welcome(
        [property: Key(0)] long PlanEpoch,
        [property: Key(1)] ImmutableArray<Window> Windows,
        [property: Key(2)] int MaxFrameBytes,
        [property: Key(3)] int MaxMessageBytes) : IClusterMessage;

    /// <summary>The connection ends. <paramref name="Message"/> names both sides' values.</summary>
    [MessagePackObject]
    public sealed record Refused([property: Key(0)] LaneRefusal Reason, [property: Key(1)] string Message) : IClusterMessage;

    /// <summary>
    /// Credit per target and connection. One message larger than <paramref name="Bytes"/> may go when nothing else is on its way.
    /// </summary>
    [MessagePackObject]
    public sealed record Window([property: Key(0)] int Messages, [property: Key(1)] long Bytes);
}

/// <summary>What a connection carries.</summary>
public enum LaneSocket : byte
{
    /// <summary>Control, responses and requests.</summary>
    Main = 0,
    Bulk = 1,
}

/// <summary>Why a node does not accept a lane connection.</summary>
public enum LaneRefusal : byte
{
    /// <summary>Another protocol version.</summary>
    Version = 0,

    /// <summary>The connection was meant for another node, or another incarnation of this one.</summary>
    WrongNode = 1,

    /// <summary>The peer's plan is older than this node's.</summary>
    StaleEpoch = 2,

    /// <summary>The plan that both have does not know this incarnation of the peer.</summary>
    UnknownPeer = 3,

    /// <summary>Another checkpoint.</summary>
    Checkpoint = 4,

    /// <summary>Other kernels, types or tables: results would differ in their bits.</summary>
    Fingerprint = 5,

    /// <summary>As many connections as are allowed exist.</summary>
    Busy = 6,

    /// <summary>A certificate that is not believed, or is not that of the node it speaks for.</summary>
    Certificate = 7,
}
