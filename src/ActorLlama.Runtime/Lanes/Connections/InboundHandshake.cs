using ActorLlama.Protocol;
using Akka.Event;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The listening side of one handshake: TLS where the node has certificates, versions, hello, welcome. Bounded by HandshakeTimeout in all.</summary>
internal sealed class InboundHandshake(LaneNode lane, string remote) : IDisposable
{
    private readonly CancellationTokenSource _timeout = new(lane.Options.HandshakeTimeout, lane.Time);

    /// <summary>
    /// The stream and reader to go on with and who is there, or null for a peer that was told why it is refused; the socket is closed then, as it is when this throws.
    /// </summary>
    public async Task<(Stream Stream, FrameReader Reader, LaneProtocol.Hello Hello)?> ShakeAsync(Stream socket, CancellationToken ended)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_timeout.Token, ended);
        try
        {
            var stream = await LaneTls.AcceptAsync(socket, lane.Credentials, limit.Token).ConfigureAwait(false);
            var reader = new FrameReader(stream, lane.Time);
            LaneProtocol.Hello? accepted = null;
            try
            {
                accepted = await GreetAsync(stream, reader, limit.Token).ConfigureAwait(false);
                return accepted is null ? null : (stream, reader, accepted);
            }
            finally
            {
                if (accepted is null)
                {
                    reader.Dispose();
                    await stream.DisposeAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException e) when (_timeout.IsCancellationRequested && !ended.IsCancellationRequested)
        {
            throw new LaneFormatException($"Lane: the peer did not shake hands within {lane.Options.HandshakeTimeout}.", e);
        }
    }

    public void Dispose() => _timeout.Dispose();

    private async Task<LaneProtocol.Hello?> GreetAsync(Stream stream, FrameReader reader, CancellationToken cancel)
    {
        await Handshake.SendAsync(stream, withPreamble: true, null, cancel).ConfigureAwait(false);
        var version = await Handshake.ReadPreambleAsync(reader, cancel).ConfigureAwait(false);
        if (version != ProtocolVersion.Current)
        {
            await RefuseAsync(stream, new(LaneRefusal.Version, HandshakeRules.VersionText(
                $"\"{remote}\"", version, $"\"{lane.Identity.Self}\"", ProtocolVersion.Current)), cancel).ConfigureAwait(false);
            return null;
        }
        if (await Handshake.ReadAsync(reader, cancel).ConfigureAwait(false) is not LaneProtocol.Hello hello)
            throw new LaneFormatException("Lane: a connection did not begin with a hello.");
        if (hello is not { From.Address: not null, To.Address: not null, Model: not null } || !Enum.IsDefined(hello.Socket))
            throw new LaneFormatException("Lane: a hello lacks names or asks for an unknown socket.");
        if (Refusal(stream, hello) is { } refused)
        {
            await RefuseAsync(stream, refused, cancel).ConfigureAwait(false);
            return null;
        }
        await Handshake.SendAsync(
            stream,
            withPreamble: false,
            new LaneProtocol.Welcome(lane.Plan.Epoch, lane.Options.Windows, lane.Options.MaxFrameBytes, lane.Options.MaxMessageBytes),
            cancel).ConfigureAwait(false);
        return hello;
    }

    private LaneProtocol.Refused? Refusal(Stream stream, LaneProtocol.Hello hello) =>
        LaneTls.Impersonation(stream, hello.From) is { } why ? new(LaneRefusal.Certificate, why)
        : HandshakeRules.Check(hello, lane.Identity, lane.Plan) is { } refused ? refused
        : lane.Inbound > lane.Options.MaxConnections
            ? new(LaneRefusal.Busy, $"Lane: \"{lane.Identity.Self}\" has {lane.Inbound} connections, above MaxConnections {lane.Options.MaxConnections}.")
        : null;

    private async Task RefuseAsync(Stream stream, LaneProtocol.Refused refused, CancellationToken cancel)
    {
        lane.Counters.Refused();
        // What passes by itself, as an older plan does, is not worth a line at every try.
        if (refused.Reason is LaneRefusal.Version or LaneRefusal.Checkpoint or LaneRefusal.Fingerprint or LaneRefusal.Certificate)
            lane.Log.Warning("Lane refused {Remote} ({Reason}): {Message}", remote, refused.Reason, refused.Message);
        else
            lane.Log.Debug("Lane refused {Remote} ({Reason}): {Message}", remote, refused.Reason, refused.Message);
        await Handshake.SendAsync(stream, withPreamble: false, refused, cancel).ConfigureAwait(false);
        await Handshake.DrainAsync(stream, cancel).ConfigureAwait(false);
    }
}
