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
    private readonly Stream _stream;
    private readonly string _remote;
    private readonly Assembly?[] _assembling = new Assembly?[LaneClasses.Count];
    private readonly TextPool _texts = new();
    private readonly ReceiverState _state;
    private LanePeer? _peer;
    private LaneSocket _socket;

    public InboundConnection(LaneNode lane, Stream stream, string remote)
        : base(lane)
    {
        (_stream, _remote) = (stream, remote);
        _state = new ReceiverState(lane.Options.Windows, Wake);
    }

    /// <summary><paramref name="shaken"/> is called once, when the handshake is over.</summary>
    public async Task RunAsync(Action shaken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Action? once = shaken;
        try
        {
            await using var stream = _stream;
            Reader = new FrameReader(stream, Lane.Time);
            var isAccepted = await ShakeAsync().ConfigureAwait(false);
            Interlocked.Exchange(ref once, null)?.Invoke();
            if (isAccepted) await RunAsync(stream, ReadAsync, WriteAsync).ConfigureAwait(false);
        }
        catch (Exception e) when (IsExpected(e))
        {
            Close(Describe(e));
        }
        finally
        {
            Interlocked.Exchange(ref once, null)?.Invoke();
            Close("failed");
            _state.Close();
            foreach (var assembly in _assembling) assembly?.Payload?.Dispose();
            Dispose();
            if (_peer is { } peer)
            {
                peer.Ended(this, EndReason);
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

    public void TargetEnded(string path, long uid) => _state.TargetEnded(path, uid);

    public override string ToString() => $"from {_peer?.Node.ToString() ?? _remote} ({_socket})";

    private async Task<bool> ShakeAsync()
    {
        using var timeout = new CancellationTokenSource(Lane.Options.HandshakeTimeout, Lane.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Ended);
        await Handshake.SendAsync(_stream, withPreamble: true, null, limit.Token).ConfigureAwait(false);
        var version = await Handshake.ReadPreambleAsync(Reader!, limit.Token).ConfigureAwait(false);
        if (version != ProtocolVersion.Current)
        {
            await RefuseAsync(new(LaneRefusal.Version, HandshakeRules.VersionText(
                $"\"{_remote}\"", version, $"\"{Lane.Identity.Self}\"", ProtocolVersion.Current)), limit.Token).ConfigureAwait(false);
            return false;
        }
        if (await Handshake.ReadAsync(Reader!, limit.Token).ConfigureAwait(false) is not LaneProtocol.Hello hello)
            throw new LaneFormatException("Lane: a connection did not begin with a hello.");
        var refused = hello is { From.Address: not null, To.Address: not null, Model: not null } && Enum.IsDefined(hello.Socket)
            ? HandshakeRules.Check(hello, Lane.Identity, Lane.Plan)
            : throw new LaneFormatException("Lane: a hello lacks names or asks for an unknown socket.");
        if (refused is null && Lane.Inbound > Lane.Options.MaxConnections)
            refused = new(LaneRefusal.Busy, $"Lane: \"{Lane.Identity.Self}\" has {Lane.Inbound} connections, above MaxConnections {Lane.Options.MaxConnections}.");
        if (refused is not null)
        {
            await RefuseAsync(refused, limit.Token).ConfigureAwait(false);
            return false;
        }
        _socket = hello.Socket;
        await Handshake.SendAsync(
            _stream,
            withPreamble: false,
            new LaneProtocol.Welcome(Lane.Plan.Epoch, Lane.Options.Windows, Lane.Options.MaxFrameBytes, Lane.Options.MaxMessageBytes),
            limit.Token).ConfigureAwait(false);
        _peer = Lane.PeerOf(hello.From);
        _peer.Attach(this, hello.Socket, hello.Association);
        // A plan that came meanwhile may fence the peer off.
        if (HandshakeRules.Check(hello with { PlanEpoch = Math.Max(hello.PlanEpoch, Lane.Plan.Epoch) }, Lane.Identity, Lane.Plan) is { } late)
            Close(late.Message);
        return true;
    }

    private async Task RefuseAsync(LaneProtocol.Refused refused, CancellationToken cancel)
    {
        Lane.Counters.Refused();
        Lane.Log.Debug("Lane refused {Remote} ({Reason}): {Message}", _remote, refused.Reason, refused.Message);
        await Handshake.SendAsync(_stream, withPreamble: false, refused, cancel).ConfigureAwait(false);
        await Handshake.DrainAsync(_stream, cancel).ConfigureAwait(false);
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
        if (LaneClasses.SocketOf(frame.Class) != _socket)
            throw new LaneFormatException($"Lane: a message of class {frame.Class} came on the {_socket} socket.");
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
        if (laneClass == LaneClass.Response)
        {
            if (!_peer!.Answer(header.Request))
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
        assembly.Target = target;
        if (header.PayloadBytes >= 0) assembly.Payload = new ReceivedPayload(header.PayloadBytes, Lane.Counters, assembly.Receipt);
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
