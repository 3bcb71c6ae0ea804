using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// The receiving end of one connection: credit in use per target and class, and the replies that wait to be written. Replies are bounded:
/// credit by the windows, the rest by <see cref="MaxUndelivered"/>. The lock is there because any actor's thread gives receipts while the
/// connection's loops read and write; it is held for a few operations.
/// </summary>
internal sealed class ReceiverState(ImmutableArray<LaneProtocol.Window> windows, Action signal)
{
    /// <summary>Unwritten answers about messages to targets that do not exist; a peer that provokes more is cut off.</summary>
    public const int MaxUndelivered = 4096;

    private const int MaxIdleUses = 256;
    private const int UntoldParts = 8;
    private readonly Lock _gate = new();
    private readonly Dictionary<(LaneTargets.Registered, LaneClass), CreditUse> _uses = [];
    private readonly Queue<long> _credits = new();
    private readonly Queue<(long Id, LaneFailure Reason)> _undelivered = new();
    private readonly Queue<(string Path, long Uid)> _ended = new();
    private long _untoldBytes;
    private bool _isPongDue;
    private bool _isClosed;

    /// <summary>Takes credit for a message. Throws <see cref="LaneFormatException"/> when the sender has none.</summary>
    public LaneReceipt Take(LaneTargets.Registered target, LaneClass laneClass, long id, int bytes)
    {
        lock (_gate)
        {
            if (!_uses.TryGetValue((target, laneClass), out var use))
                _uses.Add((target, laneClass), use = new CreditUse(target, laneClass));
            var window = windows[(int)laneClass];
            if (use.Messages >= window.Messages || (use.Bytes > 0 && use.Bytes + bytes > window.Bytes))
                throw new LaneFormatException(
                    $"Lane: a message of {bytes} bytes for \"{target.Path}\" exceeds its credit: {use.Messages} of {window.Messages} messages, " +
                    $"{use.Bytes} of {window.Bytes} bytes in use.");
            use.Messages++;
            use.Bytes += bytes;
            return new LaneReceipt(this, id, use, bytes);
        }
    }

    /// <summary>
    /// Told the sender at once when it might be waiting: from an eighth of the window on. Less waits for the next tick, so that a request
    /// and its response cost one frame each way and no third.
    /// </summary>
    public void Return(LaneReceipt receipt, LaneFailure? failure)
    {
        lock (_gate)
        {
            var use = receipt.Use;
            use.Messages--;
            use.Bytes -= receipt.Bytes;
            if (use.Messages == 0 && _uses.Count > MaxIdleUses) _uses.Remove((use.Target, use.Class));
            if (_isClosed) return;
            if (failure is { } reason)
            {
                _undelivered.Enqueue((receipt.Id, reason));
            }
            else
            {
                _credits.Enqueue(receipt.Id);
                _untoldBytes += receipt.Bytes;
                var window = windows[(int)use.Class];
                if (UntoldParts * (long)_credits.Count < window.Messages && UntoldParts * _untoldBytes < window.Bytes) return;
            }
        }
        signal();
    }

    /// <summary>The message's target does not exist here. Throws <see cref="LaneFormatException"/> when too many are unanswered.</summary>
    public void Undeliverable(long id)
    {
        lock (_gate)
        {
            if (_undelivered.Count >= MaxUndelivered)
                throw new LaneFormatException($"Lane: more than {MaxUndelivered} messages to absent targets, and the sender does not read why.");
            _undelivered.Enqueue((id, LaneFailure.Gone));
        }
        signal();
    }

    /// <summary>Beyond the bound nothing is told; the requests' deadline remains.</summary>
    public void TargetEnded(string path, long uid)
    {
        lock (_gate)
        {
            if (_isClosed || _ended.Count >= MaxUndelivered) return;
            _ended.Enqueue((path, uid));
        }
        signal();
    }

    public void Pong()
    {
        lock (_gate) _isPongDue = true;
        signal();
    }

    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            _credits.Clear();
            _undelivered.Clear();
            _ended.Clear();
        }
    }

    /// <summary>Writes what waits, at most about 8 KiB of it. False: nothing waits.</summary>
    public bool TryWrite(FrameBuffer into)
    {
        const int MaxIds = 1024;
        lock (_gate)
        {
            if (!_isPongDue && _credits.Count == 0 && _undelivered.Count == 0 && _ended.Count == 0) return false;
            if (_isPongDue)
            {
                into.Begin(FrameKind.Pong, LaneClass.Control);
                into.End();
                _isPongDue = false;
            }
            if (_credits.Count > 0)
            {
                _untoldBytes = 0;
                into.Begin(FrameKind.Credit, LaneClass.Control);
                for (var i = 0; i < MaxIds && _credits.TryDequeue(out var id); i++) into.Int64(id);
                into.End();
            }
            if (_undelivered.TryDequeue(out var failed))
            {
                into.Begin(FrameKind.Undeliverable, LaneClass.Control);
                into.Int64(failed.Id);
                into.Byte((byte)failed.Reason);
                into.End();
            }
            // Behind the credits and refusals that were given before it.
            if (_credits.Count == 0 && _undelivered.Count == 0 && _ended.TryDequeue(out var ended))
            {
                into.Begin(FrameKind.TargetEnded, LaneClass.Control);
                into.Int64(ended.Uid);
                into.Bytes(System.Text.Encoding.UTF8.GetBytes(ended.Path));
                into.End();
            }
            return true;
        }
    }
}
