using System.Buffers.Binary;
using ActorLlama.Protocol;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// The body of a <see cref="FrameKind.Message"/> frame: id, the request that it answers (0: none), bytes of its payload (-1: no payload),
/// target, reply address (its flags: 0 none, 1 on the sender's node, 2 elsewhere), manifest, MessagePack.
/// </summary>
internal readonly ref struct MessageHeader
{
    public long Id { get; private init; }

    public long Request { get; private init; }

    public int PayloadBytes { get; private init; }

    public ReadOnlySpan<byte> Path { get; private init; }

    public long Uid { get; private init; }

    public LaneTarget? ReplyTo { get; private init; }

    public string Manifest { get; private init; }

    /// <summary>Where the MessagePack begins in the body.</summary>
    public int MessageStart { get; private init; }

    public static void Write(FrameBuffer into, Outgoing item)
    {
        into.Int64(item.Id);
        into.Int64(item.To.Request);
        into.Int32(item.Payload?.Bytes ?? -1);
        into.Text(item.To.Path);
        into.Int64(item.To.Uid);
        if (item.ReplyTo is { } reply)
        {
            into.Byte(item.ReplyIsHere ? (byte)1 : (byte)2);
            if (!item.ReplyIsHere)
            {
                into.Text(reply.Node.Address);
                into.Int64(reply.Node.Uid);
            }
            into.Text(reply.Path);
            into.Int64(reply.Uid);
            into.Int64(item.ReplyIsHere ? item.Id : reply.Request);
        }
        else
        {
            into.Byte(0);
        }
        into.Text(Manifests.Of(item.Message.GetType()));
        MessageCodec.Serialize(into, item.Message);
    }

    /// <summary>Throws <see cref="LaneFormatException"/>. Texts that recur come from <paramref name="texts"/>.</summary>
    public static MessageHeader Parse(ReadOnlySpan<byte> body, NodeId peer, TextPool texts)
    {
        var left = body;
        var id = Int64(ref left);
        var request = Int64(ref left);
        var payloadBytes = (int)UInt32(ref left);
        if (payloadBytes < -1) throw new LaneFormatException($"Lane: a message claims {payloadBytes} payload bytes.");
        var path = Text(ref left);
        var uid = Int64(ref left);
        LaneTarget? replyTo = null;
        var flags = Take(ref left, 1)[0];
        if (flags > 2) throw new LaneFormatException($"Lane: a reply address has the unknown flag {flags}.");
        if (flags != 0)
        {
            var node = flags == 1 ? peer : new NodeId(texts.Get(Text(ref left)), Int64(ref left));
            replyTo = new LaneTarget(node, texts.Get(Text(ref left)), Int64(ref left), Int64(ref left));
        }
        var manifest = texts.Get(Text(ref left));
        return new MessageHeader
        {
            Id = id,
            Request = request,
            PayloadBytes = payloadBytes,
            Path = path,
            Uid = uid,
            ReplyTo = replyTo,
            Manifest = manifest,
            MessageStart = body.Length - left.Length,
        };
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> left, int count)
    {
        if (left.Length < count) throw new LaneFormatException("Lane: a message frame ends inside its header.");
        var taken = left[..count];
        left = left[count..];
        return taken;
    }

    private static long Int64(scoped ref ReadOnlySpan<byte> left) => BinaryPrimitives.ReadInt64LittleEndian(Take(ref left, 8));

    private static uint UInt32(scoped ref ReadOnlySpan<byte> left) => BinaryPrimitives.ReadUInt32LittleEndian(Take(ref left, 4));

    private static ReadOnlySpan<byte> Text(scoped ref ReadOnlySpan<byte> left) =>
        Take(ref left, BinaryPrimitives.ReadUInt16LittleEndian(Take(ref left, 2)));
}
