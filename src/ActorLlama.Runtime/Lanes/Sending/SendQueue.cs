using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// What one node has to send to another over one socket, in this incarnation of the connection: bounded queues per target and class, the
/// credit in use, and what was sent and not yet settled. No I/O. The lock is there because any actor's thread enqueues while the
/// connection's loops take and settle; it is held for a few dictionary operations and never while bytes move.
/// </summary>
internal sealed class SendQueue(LaneOptions options, LaneSocket socket, TimeProvider time)
{
    private const int MaxIdleTargets = 256;
    private readonly Lock _gate = new();
    private readonly Dictionary<(LaneTarget To, LaneClass Class), TargetQueue> _targets = [];
    private readonly Dictionary<long, Outgoing> _unsettled = [];
    private readonly Queue<TargetQueue>[] _rounds = [new(), new(), new(), new()];
    private readonly TargetQueue _responses = new();
    private readonly Outgoing?[] _current = new Outgoing?[LaneClasses.Count];
    private readonly int[] _offsets = new int[LaneClasses.Count];
    private ImmutableArray<LaneProtocol.Window> _windows;
    private int _turn;
    private bool _isClosed;

    /// <summary>Messages that wait, their payload bytes, messages whose credit is in use, requests without an answer.</summary>
    public (int Queued, long QueuedBytes, int Unsettled, int Unanswered) Counts
    {
        get
        {
            lock (_gate)
            {
                return (_targets.Values.Append(_responses).Sum(t => t.Waiting.Count),
                    _targets.Values.Append(_responses).Sum(t => t.WaitingBytes),
                    _targets.Values.Sum(t => t.SentMessages), _targets.Values.Sum(t => t.Unanswered));
            }
        }
    }

    /// <summary>Whether a piece may be taken now.</summary>
    public bool HasNext
    {
        get
        {
            lock (_gate)
            {
                foreach (var laneClass in LaneClasses.On(socket))
                    if (_current[(int)laneClass] is not null || _rounds[(int)laneClass].Count > 0) return true;
                return socket == LaneSocket.Main && _responses.Waiting.Count > 0;
            }
        }
    }

    /// <summary>Null: taken, together with its payload. Otherwise why not, and the item is the caller's still.</summary>
    public LaneFailure? Enqueue(Outgoing item)
    {
        lock (_gate)
        {
            if (_isClosed) return LaneFailure.ConnectionLost;
            var queue = item.Class == LaneClass.Response ? _responses : QueueOf(item);
            if (queue.Waiting.Count >= options.MaxQueuedMessages ||
                (queue.Waiting.Count > 0 && queue.WaitingBytes + item.PayloadBytes > options.MaxQueuedBytes))
                return LaneFailure.QueueFull;
            queue.Waiting.Enqueue(item);
            queue.WaitingBytes += item.PayloadBytes;
            if (item.Class != LaneClass.Response)
            {
                item.Queue = queue;
                JoinRound(item.Class, queue);
            }
            return null;
        }
    }

    /// <summary>The peer's welcome: from now on pieces can be taken.</summary>
    public void Open(ImmutableArray<LaneProtocol.Window> windows)
    {
        lock (_gate)
        {
            _windows = windows;
            foreach (var ((_, laneClass), queue) in _targets) JoinRound(laneClass, queue);
        }
    }

    /// <summary>The next piece, classes in turn; false when nothing may be sent now. For the connection's write loop alone.</summary>
    public bool TryTake(int chunkBytes, out SendPiece piece)
    {
        lock (_gate)
        {
            var classes = LaneClasses.On(socket);
            for (var i = 0; i < classes.Length && !_windows.IsDefault && !_isClosed; i++)
            {
                _turn = (_turn + 1) % classes.Length;
                if (TryTakeOf(classes[_turn], chunkBytes, out piece)) return true;
            }
            piece = default;
            return false;
        }
    }

    /// <summary>The item is not to be sent after all; its payload was not begun.</summary>
    public void Abandon(Outgoing item)
    {
        lock (_gate)
        {
            _current[(int)item.Class] = null;
            if (_unsettled.Remove(item.Id)) Settle(item, credit: true, answer: true);
        }
    }

    /// <summary>
    /// The receiver has given a message's credit back. False: no such message is on its way. <paramref name="failed"/>: the message, when it
    /// is a request to an actor that has ended.
    /// </summary>
    public bool TryReturnCredit(long id, out Outgoing? failed)
    {
        lock (_gate)
        {
            failed = null;
            if (!_unsettled.TryGetValue(id, out var item) || item.CreditReturned) return false;
            if (item is { WantsResponse: true, Answered: false, Queue.IsEnded: true }) failed = item;
            Settle(item, credit: true, answer: failed is not null);
            return true;
        }
    }

    /// <summary>The actor has ended: its requests that were taken and not answered. Those it has not taken come back one by one.</summary>
    public List<Outgoing> EndTarget(string path, long uid)
    {
        lock (_gate)
        {
            foreach (var ((to, _), queue) in _targets) queue.IsEnded |= to.Uid == uid && to.Path == path;
            return FailWhere(i => i.Queue!.IsEnded && i.CreditReturned);
        }
    }

    /// <summary>Requests sent before the deadline and still without an answer.</summary>
    public List<Outgoing> Expire()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            return FailWhere(i => time.GetElapsedTime(i.SentAt, now) > options.ResponseDeadline);
        }
    }

    /// <summary>Nobody received the message. False: no such message is on its way. <paramref name="item"/>: null when it was answered before.</summary>
    public bool TryReturn(long id, out Outgoing? item)
    {
        lock (_gate)
        {
            item = null;
            if (!_unsettled.TryGetValue(id, out var found) || found.CreditReturned) return false;
            if (!found.Answered) item = found;
            Settle(found, credit: true, answer: true);
            return true;
        }
    }

    /// <summary>A response to that request has arrived: the request, or null when nobody waits for it (any more).</summary>
    public Outgoing? Answer(long request)
    {
        lock (_gate)
        {
            if (!_unsettled.TryGetValue(request, out var item) || !item.WantsResponse || item.Answered) return null;
            Settle(item, credit: false, answer: true);
            return item;
        }
    }

    /// <summary>From now on nothing is taken or accepted.</summary>
    public void Close()
    {
        lock (_gate) _isClosed = true;
    }

    /// <summary>All that is not known to have been delivered and, where wanted, answered. Call when the loops have ended.</summary>
    public List<Outgoing> Drain()
    {
        lock (_gate)
        {
            _isClosed = true;
            List<Outgoing> left = [.. _unsettled.Values.Where(i => i.WantsResponse ? !i.Answered : !i.CreditReturned)];
            left.AddRange(_current.Where(i => i is { Class: LaneClass.Response })!);
            left.AddRange(_targets.Values.Append(_responses).SelectMany(t => t.Waiting));
            // Answered already, but its payload may still be half written.
            foreach (var item in _current) item?.Payload?.Dispose();
            _unsettled.Clear();
            _targets.Clear();
            _responses.Waiting.Clear();
            Array.Clear(_current);
            return left;
        }
    }

    private bool TryTakeOf(LaneClass laneClass, int chunkBytes, out SendPiece piece)
    {
        ref var current = ref _current[(int)laneClass];
        ref var offset = ref _offsets[(int)laneClass];
        if (current is { } going)
        {
            var count = Math.Min(chunkBytes, going.PayloadBytes - offset);
            piece = new SendPiece(going, false, offset, count, offset + count == going.PayloadBytes);
            offset += count;
            if (piece.IsLast) current = null;
            return true;
        }
        if (!TryDequeue(laneClass, out var item))
        {
            piece = default;
            return false;
        }
        piece = new SendPiece(item, true, 0, 0, item.PayloadBytes == 0);
        if (item.PayloadBytes > 0) (current, offset) = (item, 0);
        return true;
    }

    private bool TryDequeue(LaneClass laneClass, out Outgoing item)
    {
        if (laneClass == LaneClass.Response)
        {
            if (!_responses.Waiting.TryDequeue(out item!)) return false;
            _responses.WaitingBytes -= item.PayloadBytes;
            return true;
        }
        if (!_rounds[(int)laneClass].TryDequeue(out var queue))
        {
            item = null!;
            return false;
        }
        queue.IsInRound = false;
        item = queue.Waiting.Dequeue();
        queue.WaitingBytes -= item.PayloadBytes;
        queue.SentMessages++;
        queue.SentBytes += item.PayloadBytes;
        if (item.WantsResponse) queue.Unanswered++;
        item.SentAt = time.GetTimestamp();
        _unsettled.Add(item.Id, item);
        JoinRound(laneClass, queue);
        return true;
    }

    private List<Outgoing> FailWhere(Func<Outgoing, bool> isHopeless)
    {
        List<Outgoing> failed = [.. _unsettled.Values.Where(i => i is { WantsResponse: true, Answered: false } && isHopeless(i))];
        foreach (var item in failed) Settle(item, credit: false, answer: true);
        return failed;
    }

    private void Settle(Outgoing item, bool credit, bool answer)
    {
        var queue = item.Queue!;
        if (credit && !item.CreditReturned)
        {
            item.CreditReturned = true;
            queue.SentMessages--;
            queue.SentBytes -= item.PayloadBytes;
        }
        if (answer && item.WantsResponse && !item.Answered)
        {
            item.Answered = true;
            queue.Unanswered--;
        }
        if (item.CreditReturned && (item.Answered || !item.WantsResponse)) _unsettled.Remove(item.Id);
        JoinRound(item.Class, queue);
        if (_targets.Count > MaxIdleTargets && queue.IsIdle) _targets.Remove((item.To with { Request = 0 }, item.Class));
    }

    private void JoinRound(LaneClass laneClass, TargetQueue queue)
    {
        if (queue.IsInRound || !queue.Waiting.TryPeek(out var next) || !CanSend(laneClass, queue, next)) return;
        queue.IsInRound = true;
        _rounds[(int)laneClass].Enqueue(queue);
    }

    private bool CanSend(LaneClass laneClass, TargetQueue queue, Outgoing next)
    {
        if (_windows.IsDefault) return false;
        var window = _windows[(int)laneClass];
        return queue.SentMessages < window.Messages
            && (queue.SentBytes == 0 || queue.SentBytes + next.PayloadBytes <= window.Bytes)
            && (!next.WantsResponse || queue.Unanswered < options.MaxUnansweredRequests);
    }

    private TargetQueue QueueOf(Outgoing item)
    {
        var key = (item.To with { Request = 0 }, item.Class);
        if (!_targets.TryGetValue(key, out var queue)) _targets.Add(key, queue = new TargetQueue());
        return queue;
    }
}
