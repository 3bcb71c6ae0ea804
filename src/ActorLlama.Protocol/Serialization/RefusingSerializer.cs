using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace ActorLlama.Protocol;

/// <summary>
/// Stands where Akka's reflective JSON serializer (identifier 1) would: no type name from the network is ever instantiated, and a
/// message without a codec fails at its sender.
/// </summary>
public sealed class RefusingSerializer : Serializer
{
    public RefusingSerializer(ExtendedActorSystem system)
        : base(system)
    {
    }

    /// <summary>The form Akka asks for where the replaced serializer has settings; they mean nothing here.</summary>
    public RefusingSerializer(ExtendedActorSystem system, Config settings)
        : base(system) => _ = settings;

    public override int Identifier => 1;

    public override bool IncludeManifest => true;

    public override byte[] ToBinary(object obj) => throw new SerializationException(
        $"Serialization: '{obj.GetType().FullName}' has no codec and will not be sent. Make it an {nameof(IClusterMessage)} with a manifest.");

    public override object FromBinary(byte[] bytes, Type type) => throw new SerializationException(
        "Serialization: a message in the JSON fallback format arrived and was refused.");
}
