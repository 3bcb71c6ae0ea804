using Akka.Actor;

namespace ActorLlama.Trust;

/// <summary>How Akka names an address by the way it is reached: with certificates, or without.</summary>
public static class AkkaProtocols
{
    public const string Plain = "akka.tcp";
    public const string Encrypted = "akka.ssl.tcp";

    /// <summary>True for an address over TCP, with certificates or without.</summary>
    public static bool IsTcp(Address address) => address.Protocol is Plain or Encrypted;

    /// <summary>The same place, reached with certificates or without.</summary>
    public static Address Reached(Address address, bool isEncrypted) => address.WithProtocol(isEncrypted ? Encrypted : Plain);
}
