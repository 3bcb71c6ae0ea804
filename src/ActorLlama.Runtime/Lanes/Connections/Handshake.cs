using System.Buffers.Binary;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The first bytes of a connection, and handshake frames. Small and bounded.</summary>
internal static class Handshake
{
    public const int PreambleBytes = 12;
    private const int MaxFrameBytes = 8 << 10;

    public static ReadOnlySpan<byte> Magic => "ALlane\r\n"u8;

    /// <summary>The preamble, and behind it a message if there is one.</summary>
    public static async Task SendAsync(Stream stream, bool withPreamble, IClusterMessage? message, CancellationToken cancel)
    {
        using var buffer = new FrameBuffer();
        if (withPreamble)
        {
            buffer.Bytes(Magic);
            buffer.Int32(ProtocolVersion.Current);
        }
        if (message is not null)
        {
            buffer.Begin(FrameKind.Handshake, LaneClass.Control);
            buffer.Text(Manifests.Of(message.GetType()));
            MessageCodec.Serialize(buffer, message);
            buffer.End();
        }
        await stream.WriteAsync(buffer.Written, cancel).ConfigureAwait(false);
    }

    /// <summary>The other side's protocol version.</summary>
    public static async Task<int> ReadPreambleAsync(FrameReader reader, CancellationToken cancel)
    {
        var bytes = await reader.ReadAsync(PreambleBytes, cancel).ConfigureAwait(false);
        return bytes.Span[..Magic.Length].SequenceEqual(Magic)
            ? BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[Magic.Length..])
            : throw new LaneFormatException("Lane: the connection does not begin like a lane.");
    }

    public static async Task<IClusterMessage> ReadAsync(FrameReader reader, CancellationToken cancel)
    {
        var header = await reader.ReadHeaderAsync(MaxFrameBytes, cancel).ConfigureAwait(false)
            ?? throw new LaneFormatException("Lane: the connection ended before the handshake.");
        if (header.Kind != FrameKind.Handshake || header.Length < 2)
            throw new LaneFormatException($"Lane: a frame of kind {header.Kind} and {header.Length} bytes came before the handshake.");
        return Decode(await reader.ReadAsync(header.Length, cancel).ConfigureAwait(false));
    }

    /// <summary>Lets a refused peer read why: closing with its bytes unread would reset the connection under the answer.</summary>
    public static async Task DrainAsync(Stream stream, CancellationToken cancel)
    {
        var scratch = new byte[1024];
        for (var left = 64; left > 0; left--)
            if (await stream.ReadAsync(scratch, cancel).ConfigureAwait(false) == 0) return;
    }

    private static IClusterMessage Decode(ReadOnlyMemory<byte> body)
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(body.Span);
        if (length > body.Length - 2) throw new LaneFormatException("Lane: a handshake frame ends inside its manifest.");
        try
        {
            return MessageCodec.Deserialize(System.Text.Encoding.UTF8.GetString(body.Span.Slice(2, length)), body[(2 + length)..]);
        }
        catch (MessageFormatException e)
        {
            throw new LaneFormatException(e.Message, e);
        }
    }
}
