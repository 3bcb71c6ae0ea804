using MessagePack;
using MessagePack.ImmutableCollection;
using MessagePack.Resolvers;

namespace ActorLlama.Protocol;

/// <summary>Messages to MessagePack and back, by manifest. Used by the Akka serializer and by the lane.</summary>
public static class MessageCodec
{
    /// <summary>Untrusted input: collision-resistant hashing and a bounded depth.</summary>
    private static readonly MessagePackSerializerOptions s_options = MessagePackSerializerOptions.Standard
        .WithResolver(CompositeResolver.Create(ImmutableCollectionResolver.Instance, StandardResolver.Instance))
        .WithSecurity(MessagePackSecurity.UntrustedData);

    public static byte[] Serialize(IClusterMessage message) => MessagePackSerializer.Serialize(message.GetType(), message, s_options);

    public static void Serialize(System.Buffers.IBufferWriter<byte> into, IClusterMessage message) =>
        MessagePackSerializer.Serialize(message.GetType(), into, message, s_options);

    /// <summary>Throws <see cref="MessageFormatException"/> for an unknown manifest or bytes that are not such a message.</summary>
    public static IClusterMessage Deserialize(string manifest, ReadOnlyMemory<byte> bytes)
    {
        if (!Manifests.TryGetType(manifest, out var type))
            throw new MessageFormatException($"Serialization: no message has the manifest \"{manifest}\".");
        try
        {
            var reader = new MessagePackReader(bytes);
            var message = MessagePackSerializer.Deserialize(type, ref reader, s_options) as IClusterMessage
                ?? throw new MessageFormatException($"Serialization: {bytes.Length} bytes hold nil, not a {type.Name}.");
            return reader.End
                ? message
                : throw new MessageFormatException($"Serialization: a {type.Name} ends at byte {reader.Consumed} of {bytes.Length}.");
        }
        catch (MessagePackSerializationException e)
        {
            throw new MessageFormatException($"Serialization: {bytes.Length} bytes are not a {type.Name}: {e.GetBaseException().Message}", e);
        }
    }
}
