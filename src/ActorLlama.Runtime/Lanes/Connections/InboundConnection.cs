using ActorLlama.Protocol;
using Akka.Actor;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// A connection that a peer opened, to send on: shakes hands, puts messages together and into mailboxes, and writes back credit, refusals
/// of messages and pongs. Reading never waits for a mailbox, nor for what is written back.
/// </summary>
internal sealed class InboundConnection : LaneConnection
{
    private readonly Stream _socket;
    private readonly string _remote;
    private readonly Assembly?[] _assembling = new Assembly?[LaneClasses.Count];
    private readonly TextPool _texts = new();
    private readonly ReceiverState _state;
    private LanePeer? _peer;
    private LaneSocket _carries;

    public InboundConnection(LaneNode lane, Stream stream, string remote)
        : base(lane)
    {
        (_socket, _remote) = (stream, remote);
        _state = new ReceiverState(lane.Options.Windows, Wake);
    }

    /// <summary><paramref name="onShaken"/> is called once, when the handshake is over.</summary>
    public async Task RunAsync(Action onShaken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Action? once = onShaken;
        try
        {
            using var handshake = new InboundHandshake(Lane, _remote);
            var shaken = await handshake.ShakeAsync(_socket, Ended).ConfigureAwait(false);
            Interlocked.Exchange(ref once, null)?.Invoke();
            if (shaken is not var (stream, reader, hello)) return;
            await using var open = stream.ConfigureAwait(false);
            Attach(reader, hello);
            await RunAsync(stream, ReadAsync, WriteAsync).ConfigureAwait(false);
        }
        catch (Exception e) when (IsExpected(e))
        {
            End(new(Describe(e), IsDeliberate: false));
        }
        finally
        {
            Interlocked.Exchange(ref once, null)?.Invoke();
            End(new("failed", IsDeliberate: false));
            _state.Close();
            foreach (var assembly in _assembling) assembly?.Payload?.Dispose();
            Dispose();
            if (_peer is { } peer)
            {
                peer.Ended(this, Ending!);
                Lane.Forget(peer);
            }
        }
    }

    /// <summary>Credit that was not worth a frame of its own is told now.</summary>
    public override void Tick(bool wasAsleep)
    {
        base.Tick(wasAsleep);
        Wake();
    }

    /// <summary>Ends a connection that has not shaken hands, for another's sake.</summary>
    public void CutOff(string why)
    {
        Lane.Counters.Refused();
        Lane.Log.Warning("Lane refused {Remote}: {Reason}", _remote, why);
        Close(why);
    }

    public void TargetEnded(string path, long uid) => _state.TargetEnded(path, uid);

    public override string ToString() => $"from {_peer?.Node.ToString() ?? _remote} ({_carries})";

    private void Attach(FrameReader reader, LaneProtocol.Hello hello)
    {
        Reader = reader;
        _carries = hello.Socket;
        _peer = Lane.PeerOf(hello.From);
        _peer.Attach(this, hello.Socket, hello.Association);
        // A plan that came meanwhile may fence the peer off.
        if (HandshakeRules.Check(hello with { PlanEpoch = Math.Max(hello.PlanEpoch, Lane.Plan.Epoch) }, Lane.Identity, Lane.Plan) is { } late)
            Close(late.Message);
    }

    private async Task ReadAsync(Stream stream)
    {
        var reader = Reader!;
        while (await reader.ReadHeaderAsync(Lane.Options.MaxFrameBytes, Ended).ConfigureAwait(false) is { } frame)
        {
            switch (frame.Kind)
            {
                case FrameKind.Message:
                    Begin(frame, await reader.ReadAsync(frame.Length, Ended).ConfigureAwait(false));
                    break;
                case FrameKind.Chunk: await AppendAsync(reader, frame).ConfigureAwait(false); break;
                case FrameKind.Ping when frame.Length == 0: _state.Pong(); break;
                case FrameKind.Goodbye when frame.Length == 0: TakeGoodbye(); return;
                default: throw new LaneFormatException($"Lane: a frame of kind {frame.Kind} and {frame.Length} bytes is not for its receiver.");
            }
            Lane.Counters.BytesRead(FrameHeader.Size + frame.Length);
        }
    }

    private async Task WriteAsync(Stream stream)
    {
        using var buffer = new FrameBuffer();
        while (true)
        {
            if (!_state.TryWrite(buffer))
            {
                await WaitAsync().ConfigureAwait(false);
                continue;
            }
            await stream.WriteAsync(buffer.Written, Ended).ConfigureAwait(false);
            Lane.Counters.BytesWritten(buffer.Length);
            buffer.Clear();
        }
    }

    private void Begin(FrameHeader frame, ReadOnlyMemory<byte> body)
    {
        if (LaneClasses.SocketOf(frame.Class) != _carries)
            throw new LaneFormatException($"Lane: a message of class {frame.Class} came on the {_carries} socket.");
        if (_assembling[(int)frame.Class] is not null)
            throw new LaneFormatException($"Lane: a message of class {frame.Class} came inside another's payload.");
        var header = MessageHeader.Parse(body.Span, _peer!.Node, _texts);
        if (header.PayloadBytes > Lane.Options.MaxMessageBytes)
            throw new LaneFormatException($"Lane: a message claims {header.PayloadBytes} payload bytes, above the limit of {Lane.Options.MaxMessageBytes}.");
        if ((header.Request != 0) != (frame.Class == LaneClass.Response))
            throw new LaneFormatException($"Lane: a message of class {frame.Class} answers request {header.Request}.");
        var assembly = new Assembly { Message = Decode(header.Manifest, body[header.MessageStart..]), ReplyTo = header.ReplyTo, Left = header.PayloadBytes };
        Lane.Counters.Received(frame.Class, 1, FrameHeader.Size + frame.Length);
        Admit(assembly, frame.Class, header);
        if (header.PayloadBytes > 0) _assembling[(int)frame.Class] = assembly;
        else Deliver(assembly);
    }

    /// <summary>Buffers are taken only for messages that somebody here waits for, within credit or room that was reserved.</summary>
    private void Admit(Assembly assembly, LaneClass laneClass, MessageHeader header)
    {
        var target = Lane.Targets.Find(header.Path, header.Uid);
        Outgoing? answered = null;
        if (laneClass == LaneClass.Response)
        {
            answered = _peer!.Answer(header.Request);
            if (answered is null)
            {
                Lane.Counters.LateResponse();
                return;
            }
            if (target is null) return;
        }
        else if (target is null)
        {
            _state.Undeliverable(header.Id);
            return;
        }
        else
        {
            assembly.Receipt = _state.Take(target, laneClass, header.Id, Math.Max(header.PayloadBytes, 0));
        }
        if (header.PayloadBytes < 0 || TryTakeBuffer(assembly, answered, header)) assembly.Target = target;
    }

    /// <summary>False where there is no memory for the payload: it is skipped, and whoever waits for the message is told. The connection, and what else is under way on it, goes on.</summary>
    private bool TryTakeBuffer(Assembly assembly, Outgoing? answered, MessageHeader header)
    {
        try
        {
            assembly.Payload = new ReceivedPayload(header.PayloadBytes, Lane.Counters, assembly.Receipt);
            return true;
        }
        catch (OutOfMemoryException)
        {
            var why = $"Lane: \"{Lane.Identity.Self}\" has no memory for {header.PayloadBytes} bytes of \"{_peer!.Node}\".";
            Lane.Counters.Failed();
            Lane.RanOut(why);
            assembly.Receipt?.Fail(LaneFailure.NoMemory);
            assembly.Receipt = null;
            answered?.Tell(LaneFailure.NoMemory, why);
            return false;
        }
    }

    private async ValueTask AppendAsync(FrameReader reader, FrameHeader frame)
    {
        if (_assembling[(int)frame.Class] is not { } assembly || frame.Length > assembly.Left || frame.Length == 0)
            throw new LaneFormatException($"Lane: a piece of {frame.Length} bytes of class {frame.Class} continues no message.");
        if (assembly.Payload is { } payload)
            await reader.CopyAsync(payload.Memory.Slice(payload.Bytes - assembly.Left, frame.Length), Ended).ConfigureAwait(false);
        else
            await reader.SkipAsync(frame.Length, Ended).ConfigureAwait(false);
        Lane.Counters.Received(frame.Class, 0, FrameHeader.Size + frame.Length);
        assembly.Left -= frame.Length;
        if (assembly.Left > 0) return;
        _assembling[(int)frame.Class] = null;
        Deliver(assembly);
    }

    private void Deliver(Assembly assembly)
    {
        if (assembly.Target is not { } target) return;
        var envelope = new LaneEnvelope(assembly.Message, assembly.Payload, assembly.ReplyTo) { Receipt = assembly.Receipt };
        target.Actor.Tell(envelope, ActorRefs.NoSender);
        if (assembly is { Receipt: { } receipt, Payload: null } && target.Add(receipt)) Lane.Watcher.Tell(new LaneWatcherActor.Probe(target));
    }

    private static ILaneMessage Decode(string manifest, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return MessageCodec.Deserialize(manifest, bytes) as ILaneMessage
                ?? throw new LaneFormatException($"Lane: a message \"{manifest}\" does not travel on lanes.");
        }
        catch (MessageFormatException e)
        {
            throw new LaneFormatException(e.Message, e);
        }
    }

    /// <summary>A message whose payload is arriving. Without target the payload is skipped.</summary>
    private sealed class Assembly
    {
        public required ILaneMessage Message { get; init; }

        public required LaneTarget? ReplyTo { get; init; }

        public required int Left { get; set; }

        public LaneTargets.Registered? Target { get; set; }

        public LaneReceipt? Receipt { get; set; }

        public ReceivedPayload? Payload { get; set; }
    }
}
