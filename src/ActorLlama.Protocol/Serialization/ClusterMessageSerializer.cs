using Akka.Actor;
using Akka.Serialization;

namespace ActorLlama.Protocol;

/// <summary>Akka's serializer for every <see cref="IClusterMessage"/>: MessagePack with short manifests.</summary>
public sealed class ClusterMessageSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    public const int SerializerId = 4107;

    public override int Identifier => SerializerId;

    public override string Manifest(object o) => Manifests.Of(o.GetType());

    public override byte[] ToBinary(object obj) => MessageCodec.Serialize((IClusterMessage)obj);

    public override object FromBinary(byte[] bytes, string manifest) => MessageCodec.Deserialize(manifest, bytes);
}
