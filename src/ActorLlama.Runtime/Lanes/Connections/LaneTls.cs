using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using ActorLlama.Protocol;
using ActorLlama.Trust;

namespace ActorLlama.Runtime.Lanes;

/// <summary>
/// TLS between a lane and its socket, where the node has certificates: both sides show a node's. Without certificates the socket's stream is used as it is. Throws
/// <see cref="LaneRefusedException"/> with the reason for a peer that is not believed; the socket is closed whatever is thrown.
/// </summary>
internal static class LaneTls
{
    public static async Task<Stream> AcceptAsync(Stream socket, ClusterCredentials? credentials, CancellationToken cancel)
    {
        if (credentials is null) return socket;
        string? refusal = null;
        var tls = new SslStream(socket);
        try
        {
            await tls.AuthenticateAsServerAsync(credentials.ForListening(CertificateUses.Node, why => refusal = why), cancel).ConfigureAwait(false);
            return tls;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw Refused("the peer", refusal, e);
        }
        catch
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public static async Task<Stream> ConnectAsync(Stream socket, ClusterCredentials? credentials, LaneEndpoint endpoint, CancellationToken cancel)
    {
        if (credentials is null) return socket;
        string? refusal = null;
        var tls = new SslStream(socket);
        try
        {
            await tls.AuthenticateAsClientAsync(credentials.ForCalling(endpoint.Host, CertificateUses.Node, why => refusal = why), cancel).ConfigureAwait(false);
            return tls;
        }
        catch (AuthenticationException e)
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw Refused($"{endpoint.Host}:{endpoint.Port}", refusal, e);
        }
        catch
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Why the certificate shown on this connection does not speak for a node of that address, or null.</summary>
    public static string? Impersonation(Stream stream, NodeId node) =>
        stream is SslStream { RemoteCertificate: X509Certificate2 shown } && Akka.Actor.Address.TryParse(node.Address, out var address) && !shown.MatchesHostname(address.Host)
            ? $"Lane: \"{node}\" showed the certificate \"{shown.Subject}\", which does not name its host. Give it the folder that actorllama cert wrote for its own host."
            : null;

    private static LaneRefusedException Refused(string peer, string? refusal, Exception cause) =>
        new(LaneRefusal.Certificate, $"Lane: {peer} is refused: {refusal ?? $"it did not shake hands with TLS ({cause.Message.TrimEnd('.')})"}.");
}
