using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// A connection this node opened, to send on: connects, shakes hands, writes what its queue yields, and reads credit, refusals of
/// messages and pongs. Whatever was not delivered when it ends goes back to its senders.
/// </summary>
internal sealed class OutboundConnection(LaneNode lane, LanePeer peer, LaneSocket socket, long association) : LaneConnection(lane)
{
    /// <summary>Frames are put together until they are that many bytes.</summary>
    private const int GatherBytes = 16 << 10;

    /// <summary>Larger pieces go to the system from where they are: copied here once more they would cost more than the call.</summary>
    private const int CopiedBytes = 2 << 10;

    /// <summary>The same where everything is encrypted, which copies it in any case: as much as fits a record, for a header by itself costs a record and a call at either end.</summary>
    private const int CopiedTlsBytes = 16 << 10;

    /// <summary>As much as the thread of whoever sends may hand to the system itself.</summary>
    private const int CallersBytes = 128 << 10;
    private const int MaxReplyFrameBytes = 16 << 10;
    private static readonly TimeSpan s_staleRetry = TimeSpan.FromMilliseconds(50);
    private readonly FrameBuffer _buffer = new();
    private readonly GatherWriter _gather = new();
    private LaneProtocol.Welcome _welcome = new(0, [], 0, 0);
    private int _isPingDue;
    private bool _isOnCaller;

    public SendQueue Queue { get; } = new(lane.Options, socket, lane.Time);

    public async Task RunAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var failure = LaneFailure.NoConnection;
        try
        {
            await using var stream = await ConnectAsync().ConfigureAwait(false);
            failure = LaneFailure.ConnectionLost;
            Queue.Open(_welcome.Windows);
            peer.Opened(this);
            await RunAsync(stream, ReadAsync, WriteAsync).ConfigureAwait(false);
        }
        catch (Exception e) when (IsExpected(e))
        {
            if (e is LaneRefusedException) failure = LaneFailure.Refused;
            End(new(Describe(e), IsDeliberate: false));
        }
        finally
        {
            End(new("failed", IsDeliberate: false));
            Dispose();
            if (Lane.IsStopped) failure = LaneFailure.Stopped;
            if (failure == LaneFailure.ConnectionLost && Ending is { IsDeliberate: true }) failure = LaneFailure.Closed;
            peer.Ended(this, Ending!);
            foreach (var item in Queue.Drain()) Fail(item, failure, Ending!.Reason);
        }
    }

    public override void End(LaneEnding ending)
    {
        Queue.Close();
        base.End(ending);
    }

    public override void Tick(bool wasAsleep)
    {
        base.Tick(wasAsleep);
        Interlocked.Exchange(ref _isPingDue, 1);
        foreach (var item in Queue.Expire())
            FailTaken(item, LaneFailure.Unanswered, $"Lane: \"{peer.Node}\" did not answer within {Lane.Options.ResponseDeadline}.");
        Wake();
    }

    public override void Dispose()
    {
        _buffer.Dispose();
        base.Dispose();
    }

    public override string ToString() => $"to {peer.Node} ({socket})";

    /// <summary>A message whose payload may still be with the write loop, which disposes it.</summary>
    private void FailTaken(Outgoing item, LaneFailure failure, string detail)
    {
        Lane.Counters.Failed();
        item.Tell(failure, detail);
    }

    private void Fail(Outgoing item, LaneFailure failure, string detail)
    {
        Lane.Counters.Failed();
        item.Fail(failure, detail);
    }

    /// <summary>
    /// Within ConnectTimeout. A peer with a newer plan is asked again meanwhile: this node's copy of that plan is on its way.
    /// </summary>
    private async Task<Stream> ConnectAsync()
    {
        using var timeout = new CancellationTokenSource(Lane.Options.ConnectTimeout, Lane.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Ended);
        LaneRefusedException? stale = null;
        try
        {
            while (true)
            {
                try
                {
                    return await ConnectOnceAsync(limit.Token).ConfigureAwait(false);
                }
                catch (LaneRefusedException e) when (e.Reason == LaneRefusal.StaleEpoch)
                {
                    stale = e;
                    await Task.Delay(s_staleRetry, Lane.Time, limit.Token).ConfigureAwait(false);
                }
            }
        }
        catch (LaneRefusedException e)
        {
            peer.Refused(e);
            throw;
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !Ended.IsCancellationRequested)
        {
            if (stale is null) throw new IOException($"Lane: \"{peer.Node}\" did not answer within {Lane.Options.ConnectTimeout}.");
            peer.Refused(stale);
            throw stale;
        }
    }

    private async Task<Stream> ConnectOnceAsync(CancellationToken cancel)
    {
        var plan = Lane.Plan;
        if (!plan.Peers.TryGetValue(peer.Node, out var endpoint)) throw new IOException($"Lane: \"{peer.Node}\" is not in the plan.");
        var tcp = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await tcp.ConnectAsync(endpoint.Host, endpoint.Port, cancel).ConfigureAwait(false);
        }
        catch
        {
            tcp.Dispose();
            throw;
        }
        var stream = await LaneTls.ConnectAsync(new NetworkStream(tcp, ownsSocket: true), Lane.Credentials, endpoint, cancel).ConfigureAwait(false);
        var reader = new FrameReader(stream, Lane.Time);
        try
        {
            await Handshake.SendAsync(
                stream,
                withPreamble: true,
                new LaneProtocol.Hello(Lane.Identity.Self, peer.Node, plan.Epoch, Lane.Identity.Model, socket, association),
                cancel).ConfigureAwait(false);
            var version = await Handshake.ReadPreambleAsync(reader, cancel).ConfigureAwait(false);
            if (version != ProtocolVersion.Current)
                throw new LaneRefusedException(LaneRefusal.Version, HandshakeRules.VersionText(
                    $"\"{peer.Node}\"", version, $"\"{Lane.Identity.Self}\"", ProtocolVersion.Current));
            _welcome = await Handshake.ReadAsync(reader, cancel).ConfigureAwait(false) switch
            {
                LaneProtocol.Welcome { Windows: { IsDefault: false, Length: LaneClasses.Count } } welcome
                    when welcome is { MaxFrameBytes: >= 1024, MaxMessageBytes: >= 0 } && welcome.Windows.All(w => w is { Messages: >= 0, Bytes: >= 0 }) => welcome,
                LaneProtocol.Refused refused => throw new LaneRefusedException(refused.Reason, refused.Message),
                var other => throw new LaneFormatException($"Lane: a {other.GetType().Name} came as the answer to a hello."),
            };
            Reader = reader;
            return stream;
        }
        catch
        {
            reader.Dispose();
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task WriteAsync(Stream stream)
    {
        while (true)
        {
            if (Interlocked.Exchange(ref _isPingDue, 0) != 0)
            {
                _buffer.Begin(FrameKind.Ping, LaneClass.Control);
                _buffer.End();
            }
            while (_buffer.Length < GatherBytes && Queue.TryTake(Math.Min(Lane.Options.ChunkBytes, _welcome.MaxFrameBytes), out var piece))
            {
                if (piece.IsHeader) WriteHeader(piece);
                else await WriteChunkAsync(stream, piece).ConfigureAwait(false);
            }
            if (_buffer.Length > 0)
            {
                await FlushAsync(stream).ConfigureAwait(false);
                if (Queue.HasNext) await LeaveCaller();
            }
            else
            {
                await WaitAsync().ConfigureAwait(false);
                _isOnCaller = true;
            }
        }
    }

    /// <summary>Whoever woke this loop is an actor with better things to do than to copy what is large, or what others send.</summary>
    private ConfiguredTaskAwaitable LeaveCaller()
    {
        var options = _isOnCaller ? ConfigureAwaitOptions.ForceYielding : ConfigureAwaitOptions.None;
        _isOnCaller = false;
        return Task.CompletedTask.ConfigureAwait(options);
    }

    private void WriteHeader(SendPiece piece)
    {
        var item = piece.Item;
        _buffer.Begin(FrameKind.Message, item.Class);
        MessageHeader.Write(_buffer, item);
        var length = _buffer.End();
        if (length > _welcome.MaxFrameBytes || item.PayloadBytes > _welcome.MaxMessageBytes)
        {
            _buffer.Undo();
            Queue.Abandon(item);
            Fail(item, LaneFailure.TooLarge,
                $"Lane: a {item.Message.GetType().Name} has a header of {length} and a payload of {item.PayloadBytes} bytes; \"{peer.Node}\" takes " +
                $"{_welcome.MaxFrameBytes} and {_welcome.MaxMessageBytes}. Raise MaxFrameBytes or MaxMessageBytes.");
            return;
        }
        Lane.Counters.Sent(item.Class, 1, FrameHeader.Size + length);
        if (piece.IsLast) item.Payload?.Dispose();
    }

    private async ValueTask WriteChunkAsync(Stream stream, SendPiece piece)
    {
        var bytes = ((BytesPayload)piece.Item.Payload!).Memory.Slice(piece.Offset, piece.Count);
        try
        {
            _buffer.ChunkHeader(piece.Item.Class, piece.Count);
            if (piece.Count <= (stream is SslStream ? CopiedTlsBytes : CopiedBytes))
            {
                _buffer.Bytes(bytes.Span);
            }
            else
            {
                if (piece.Count > CallersBytes) await LeaveCaller();
                await _gather.WriteAsync(stream, _buffer.Written, bytes, Ended).ConfigureAwait(false);
                Lane.Counters.BytesWritten(_buffer.Length + piece.Count);
                _buffer.Clear();
            }
            Lane.Counters.Sent(piece.Item.Class, 0, FrameHeader.Size + piece.Count);
        }
        finally
        {
            if (piece.IsLast) piece.Item.Payload!.Dispose();
        }
    }

    private async ValueTask FlushAsync(Stream stream)
    {
        await stream.WriteAsync(_buffer.Written, Ended).ConfigureAwait(false);
        Lane.Counters.BytesWritten(_buffer.Length);
        _buffer.Clear();
    }

    private async Task ReadAsync(Stream stream)
    {
        var reader = Reader!;
        while (await reader.ReadHeaderAsync(MaxReplyFrameBytes, Ended).ConfigureAwait(false) is { } frame)
        {
            var body = await reader.ReadAsync(frame.Length, Ended).ConfigureAwait(false);
            Lane.Counters.BytesRead(FrameHeader.Size + frame.Length);
            switch (frame.Kind)
            {
                case FrameKind.Credit: ReturnCredit(body.Span); break;
                case FrameKind.Undeliverable: Undeliverable(body.Span); break;
                case FrameKind.TargetEnded: TargetEnded(body.Span); break;
                case FrameKind.Pong when frame.Length == 0: break;
                case FrameKind.Goodbye when frame.Length == 0: TakeGoodbye(); return;
                default: throw new LaneFormatException($"Lane: a frame of kind {frame.Kind} and {frame.Length} bytes came back to its sender.");
            }
        }
    }

    private void ReturnCredit(ReadOnlySpan<byte> ids)
    {
        if (ids.Length % 8 != 0) throw new LaneFormatException($"Lane: a credit frame of {ids.Length} bytes, not a multiple of 8.");
        for (; !ids.IsEmpty; ids = ids[8..])
        {
            var id = BinaryPrimitives.ReadInt64LittleEndian(ids);
            if (!Queue.TryReturnCredit(id, out var failed))
                throw new LaneFormatException($"Lane: credit came back for message {id}, which is not on its way.");
            if (failed is not null) FailTaken(failed, LaneFailure.Gone, EndedText(failed));
        }
        Wake();
    }

    private void TargetEnded(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8) throw new LaneFormatException($"Lane: a frame of {body.Length} bytes names no target.");
        var path = System.Text.Encoding.UTF8.GetString(body[8..]);
        foreach (var item in Queue.EndTarget(path, BinaryPrimitives.ReadInt64LittleEndian(body))) FailTaken(item, LaneFailure.Gone, EndedText(item));
        Wake();
    }

    private string EndedText(Outgoing item) => $"Lane: \"{item.To.Path}\" on \"{peer.Node}\" ended before it answered.";

    private string NotTakenText(Outgoing item, LaneFailure why) => why == LaneFailure.NoMemory
        ? $"Lane: \"{peer.Node}\" has no memory for {item.PayloadBytes} bytes."
        : $"Lane: no actor \"{item.To.Path}\" took it on \"{peer.Node}\".";

    private void Undeliverable(ReadOnlySpan<byte> body)
    {
        if (body.Length != 9 || (LaneFailure)body[8] is not (LaneFailure.Gone or LaneFailure.Unhandled or LaneFailure.NoMemory))
            throw new LaneFormatException($"Lane: an undeliverable frame of {body.Length} bytes is none.");
        var id = BinaryPrimitives.ReadInt64LittleEndian(body);
        if (!Queue.TryReturn(id, out var item)) throw new LaneFormatException($"Lane: message {id} came back, which is not on its way.");
        if (item is not null) FailTaken(item, (LaneFailure)body[8], NotTakenText(item, (LaneFailure)body[8]));
        Wake();
    }
}
