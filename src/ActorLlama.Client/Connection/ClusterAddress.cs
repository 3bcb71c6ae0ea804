using System.Net.Sockets;
using Akka.Actor;

namespace ActorLlama.Client;

/// <summary>The address of a node: <c>akka.tcp://actorllama@HOST:PORT</c>, or <c>HOST:PORT</c> for short.</summary>
public static class ClusterAddress
{
    /// <summary>The actor system of every node.</summary>
    public const string System = "actorllama";

    /// <summary>Where a node of the shipped <c>config/local-1.conf</c> listens.</summary>
    public const string Default = "akka.tcp://actorllama@127.0.0.1:4053";

    /// <summary>Throws <see cref="InvalidDataException"/> for anything else than the two spellings.</summary>
    public static Address Parse(string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : $"akka.tcp://{System}@{text}";
        if (!Address.TryParse(full, out var address)
            || address is not { Protocol: "akka.tcp", System: System, Host: { Length: > 0 }, Port: > 0 and <= ushort.MaxValue })
            throw new InvalidDataException(
                $"Cluster: \"{text}\" is not an address of a node. Write akka.tcp://{System}@HOST:PORT or HOST:PORT.");
        return address;
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
