using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>Bounds and times of a node's lane. Sizes in bytes.</summary>
public sealed record LaneOptions
{
    /// <summary>Address to listen on, and the one that peers are told.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0: the system chooses.</summary>
    public int Port { get; init; }

    /// <summary>Payloads travel in pieces of this size; between two pieces other classes have their turn.</summary>
    public int ChunkBytes { get; init; } = 256 << 10;

    /// <summary>No frame (a message's header, or a piece of its payload) may be larger.</summary>
    public int MaxFrameBytes { get; init; } = 1 << 20;

    /// <summary>No payload may be larger.</summary>
    public int MaxMessageBytes { get; init; } = 256 << 20;

    /// <summary>Control messages on their way from one peer to one actor.</summary>
    public int ControlWindowMessages { get; init; } = 256;

    public long ControlWindowBytes { get; init; } = 4 << 20;

    /// <summary>Requests on their way from one peer to one actor, not yet opened by it.</summary>
    public int RequestWindowMessages { get; init; } = 64;

    public long RequestWindowBytes { get; init; } = 64 << 20;

    public int BulkWindowMessages { get; init; } = 16;

    public long BulkWindowBytes { get; init; } = 64 << 20;

    /// <summary>Unanswered requests with a reply address to one actor; more wait in the queue.</summary>
    public int MaxUnansweredRequests { get; init; } = 256;

    /// <summary>Messages of one class that wait on this node for one target; more fail with QueueFull.</summary>
    public int MaxQueuedMessages { get; init; } = 1024;

    public long MaxQueuedBytes { get; init; } = 256 << 20;

    /// <summary>Connections that peers may open.</summary>
    public int MaxConnections { get; init; } = 512;

    /// <summary>Connections that have not shaken hands yet.</summary>
    public int MaxPendingHandshakes { get; init; } = 64;

    /// <summary>Until a message to a peer that does not answer fails, and how long a peer with a newer plan is asked again.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>A peer silent for that long is lost.</summary>
    public TimeSpan HeartbeatDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A request not answered so long after it was sent has failed, and its reserved room is free again.</summary>
    public TimeSpan ResponseDeadline { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Keep a connection to every node of the plan, so that its end is noticed also when nothing is sent to it.</summary>
    public bool KeepConnected { get; init; } = true;

    /// <summary>Throws <see cref="InvalidDataException"/> that lists every fault.</summary>
    public LaneOptions Validated()
    {
        var faults = Faults().ToArray();
        return faults.Length == 0 ? this : throw new InvalidDataException(string.Join(Environment.NewLine, faults));
    }

    internal ImmutableArray<LaneProtocol.Window> Windows =>
    [
        new(ControlWindowMessages, ControlWindowBytes),
        new(0, 0),
        new(RequestWindowMessages, RequestWindowBytes),
        new(BulkWindowMessages, BulkWindowBytes),
    ];

    private IEnumerable<string> Faults()
    {
        if (string.IsNullOrWhiteSpace(Host)) yield return "Lane: Host is empty. Set it to an address of this machine.";
        if (Port is < 0 or > 65535) yield return $"Lane: Port is {Port}, not in 0..65535. Use 0 to let the system choose.";
        (string Name, long Value, long Least)[] sizes =
        [
            (nameof(ChunkBytes), ChunkBytes, 1024),
            (nameof(MaxFrameBytes), MaxFrameBytes, 16 << 10),
            (nameof(MaxMessageBytes), MaxMessageBytes, 1024),
            (nameof(ControlWindowMessages), ControlWindowMessages, 1),
            (nameof(ControlWindowBytes), ControlWindowBytes, 1),
            (nameof(RequestWindowMessages), RequestWindowMessages, 1),
            (nameof(RequestWindowBytes), RequestWindowBytes, 1),
            (nameof(BulkWindowMessages), BulkWindowMessages, 1),
            (nameof(BulkWindowBytes), BulkWindowBytes, 1),
            (nameof(MaxUnansweredRequests), MaxUnansweredRequests, 1),
            (nameof(MaxQueuedMessages), MaxQueuedMessages, 1),
            (nameof(MaxQueuedBytes), MaxQueuedBytes, 1),
            (nameof(MaxConnections), MaxConnections, 1),
            (nameof(MaxPendingHandshakes), MaxPendingHandshakes, 1),
        ];
        foreach (var (name, value, least) in sizes)
            if (value < least) yield return $"Lane: {name} is {value}, below its least value {least}. Raise it.";
        if (ChunkBytes > MaxFrameBytes)
            yield return $"Lane: ChunkBytes is {ChunkBytes}, above MaxFrameBytes {MaxFrameBytes}. Lower it.";
        (string Name, TimeSpan Value)[] times =
        [
            (nameof(ConnectTimeout), ConnectTimeout),
            (nameof(HandshakeTimeout), HandshakeTimeout),
            (nameof(HeartbeatInterval), HeartbeatInterval),
            (nameof(HeartbeatDeadline), HeartbeatDeadline),
            (nameof(ResponseDeadline), ResponseDeadline),
        ];
        foreach (var (name, value) in times)
            if (value <= TimeSpan.Zero) yield return $"Lane: {name} is {value}, not above zero. Raise it.";
        if (HeartbeatDeadline < 2 * HeartbeatInterval)
            yield return $"Lane: HeartbeatDeadline is {HeartbeatDeadline}, below twice HeartbeatInterval {HeartbeatInterval}. Raise it.";
    }
}
