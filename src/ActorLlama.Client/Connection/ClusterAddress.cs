using System.Net.Sockets;
using ActorLlama.Trust;
using Akka.Actor;

namespace ActorLlama.Client;

/// <summary>The address of a node: <c>akka.tcp://actorllama@HOST:PORT</c>, or <c>HOST:PORT</c> for short.</summary>
public static class ClusterAddress
{
    /// <summary>The actor system of every node.</summary>
    public const string System = "actorllama";

    /// <summary>Where a node of the shipped <c>config/local-1.conf</c> listens.</summary>
    public const string Default = "akka.tcp://actorllama@127.0.0.1:4053";

    /// <summary>
    /// Throws <see cref="InvalidDataException"/> for anything else than the two spellings, or that a node with certificates says of itself, "akka.ssl.tcp://…". By which of them a node
    /// is reached follows from <paramref name="isEncrypted"/>, not from the spelling.
    /// </summary>
    public static Address Parse(string text, bool isEncrypted = false)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : $"{AkkaProtocols.Plain}://{System}@{text}";
        if (!Address.TryParse(full, out var address)
            || !AkkaProtocols.IsTcp(address) || address is not { System: System, Host: { Length: > 0 }, Port: > 0 and <= ushort.MaxValue })
            throw new InvalidDataException(
                $"Cluster: \"{text}\" is not an address of a node. Write {AkkaProtocols.Plain}://{System}@HOST:PORT or HOST:PORT.");
        if (address.Protocol == AkkaProtocols.Encrypted && !isEncrypted)
            throw new InvalidDataException($"Cluster: the node at \"{text}\" wants certificates. Name a folder of actorllama cert init with --certificates.");
        return AkkaProtocols.Reached(address, isEncrypted);
    }

    /// <summary>The address of this machine that packets to <paramref name="node"/> leave from.</summary>
    internal static string LocalHostFor(Address node)
    {
        try
        {
            using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(node.Host, node.Port ?? 0);
            return ((global::System.Net.IPEndPoint)socket.LocalEndPoint!).Address.MapToIPv4().ToString();
        }
        catch (SocketException e)
        {
            throw new ClusterUnreachableException($"Cluster: \"{node.Host}\" cannot be reached: {e.Message}. Check the address.", e);
        }
    }
}
