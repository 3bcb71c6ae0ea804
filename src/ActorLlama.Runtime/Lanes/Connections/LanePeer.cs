using ActorLlama.Protocol;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// This node's side of its connections with another. All sockets of one association end together: when one is lost, everything on its way
/// fails at once, and the next message begins a new association. The lock is there because senders, loops and the clock all come here; it
/// is held for a few assignments.
/// </summary>
internal sealed class LanePeer(LaneNode lane, NodeId node)
{
    private readonly Lock _gate = new();
    private Association _current = new(1);
    private string _lastRefusal = "";
    private long _lastEnd;

    public NodeId Node { get; } = node;

    public IEnumerable<(int Queued, long QueuedBytes, int Unsettled, int Unanswered)> QueueCounts =>
        Current().Outbound.OfType<OutboundConnection>().Select(c => c.Queue.Counts);

    public int Connections => Current().All.Count;

    /// <summary>Takes the item in all cases; never waits.</summary>
    public void Send(Outgoing item)
    {
        var socket = LaneClasses.SocketOf(item.Class);
        LaneFailure? failure = LaneFailure.ConnectionLost;
        for (var attempt = 0; attempt < 2 && failure == LaneFailure.ConnectionLost; attempt++)
        {
            var (association, connection, isNew) = Outbound(socket);
            failure = connection.Queue.Enqueue(item);
            // Not before: it could be refused, and gone, before it had the message to say so to.
            if (isNew) Start(connection);
            if (failure is null)
            {
                connection.Wake();
                return;
            }
            if (failure == LaneFailure.ConnectionLost) End(association, new("connection ended", IsDeliberate: false));
        }
        lane.Counters.Failed();
        // Not under way: nobody has had it.
        if (failure == LaneFailure.ConnectionLost) failure = LaneFailure.NoConnection;
        item.Fail(lane.IsStopped ? LaneFailure.Stopped : failure.Value, $"Lane: not sent to \"{Node}\".");
    }

    /// <summary>A response to that request has arrived from the peer: the request, or null when nobody waits for it (any more).</summary>
    public Outgoing? Answer(long request)
    {
        var connection = Current().Outbound[(int)LaneSocket.Main];
        if (connection?.Queue.Answer(request) is not { } answered) return null;
        if (connection.Queue.HasNext) connection.Wake();
        return answered;
    }

    /// <summary>The peer opened that connection in its association of that number; another number than before is a new one.</summary>
    public void Attach(InboundConnection connection, LaneSocket socket, long number)
    {
        Association? former;
        lock (_gate)
        {
            var isNew = _current.RemoteNumber is { } known && (known != number || _current.Inbound[(int)socket] is not null);
            former = isNew ? _current : null;
        }
        if (former is not null) End(former, new("the peer connected anew", IsDeliberate: true));
        lock (_gate)
        {
            _current.RemoteNumber = number;
            _current.Inbound[(int)socket] = connection;
        }
        Up();
    }

    public void Opened(OutboundConnection connection)
    {
        if (Current().Outbound.Contains(connection)) Up();
    }

    /// <summary>An actor of this node has ended: requesters of the peer wait in vain.</summary>
    public void TargetEnded(string path, long uid) => Current().Inbound[(int)LaneSocket.Main]?.TargetEnded(path, uid);

    /// <summary>A connection ended: so does its association.</summary>
    public void Ended(LaneConnection connection, LaneEnding ending)
    {
        var current = Current();
        if (current.All.Contains(connection)) End(current, ending);
    }

    /// <summary>Has this node end all connections with the peer.</summary>
    public void Close(string reason) => End(Current(), new(reason, IsDeliberate: true));

    public void Refused(LaneRefusedException refusal)
    {
        if (Interlocked.Exchange(ref _lastRefusal, refusal.Message) == refusal.Message) return;
        lane.Log.Warning("Lane to {Node} refused ({Reason}): {Message}", Node, refusal.Reason, refusal.Message);
    }

    public void Tick(bool wasAsleep)
    {
        var current = Current();
        foreach (var open in current.All) open.Tick(wasAsleep);
        if (!lane.Options.KeepConnected || current.Outbound[(int)LaneSocket.Main] is not null || !lane.Plan.Peers.ContainsKey(Node)) return;
        if (lane.Time.GetElapsedTime(Interlocked.Read(ref _lastEnd)) <= 4 * lane.Options.HeartbeatInterval) return;
        var (_, connection, isNew) = Outbound(LaneSocket.Main);
        if (isNew) Start(connection);
    }

    private Association Current()
    {
        lock (_gate) return _current;
    }

    /// <summary>The connection of that kind; whoever is told that it is new starts it.</summary>
    private (Association, OutboundConnection, bool IsNew) Outbound(LaneSocket socket)
    {
        lock (_gate)
        {
            ref var connection = ref _current.Outbound[(int)socket];
            if (connection is not null) return (_current, connection, false);
            connection = new OutboundConnection(lane, this, socket, _current.Number);
            return (_current, connection, true);
        }
    }

    private void Start(OutboundConnection connection)
    {
        if (lane.IsStopped) connection.Close("stopped");
        lane.Track(connection.RunAsync());
    }

    private void Up()
    {
        lock (_gate)
        {
            if (_current.IsUp) return;
            _current.IsUp = true;
            lane.Publish(new LanePeerUp(Node));
        }
        lane.Log.Debug("Lane with {Node} is up", Node);
    }

    private void End(Association association, LaneEnding ending)
    {
        lock (_gate)
        {
            if (_current != association) return;
            _current = new Association(association.Number + 1);
            Interlocked.Exchange(ref _lastEnd, lane.Time.GetTimestamp());
            if (association.IsUp) lane.Publish(new LanePeerLost(Node, ending.Reason));
        }
        foreach (var connection in association.All) connection.End(ending);
        if (association.IsUp && !lane.IsStopped) lane.Log.Info("Lane with {Node} ended: {Reason}", Node, ending.Reason);
    }

    private sealed class Association(long number)
    {
        public long Number { get; } = number;

        public long? RemoteNumber { get; set; }

        public OutboundConnection?[] Outbound { get; } = new OutboundConnection?[2];

        public InboundConnection?[] Inbound { get; } = new InboundConnection?[2];

        public bool IsUp { get; set; }

        public IReadOnlyList<LaneConnection> All => [.. Outbound.OfType<LaneConnection>(), .. Inbound.OfType<LaneConnection>()];
    }
}
