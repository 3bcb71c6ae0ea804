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
    public static Task<Stream> AcceptAsync(Stream socket, ClusterCredentials? credentials, CancellationToken cancel) => credentials is null
        ? Task.FromResult(socket)
        // A peer that only ends the connection has not shaken hands either.
        : ShakeAsync(socket, "the peer", e => e is AuthenticationException or IOException,
            (tls, told) => tls.AuthenticateAsServerAsync(credentials.ForListening(CertificateUses.Node, told), cancel));

    public static Task<Stream> ConnectAsync(Stream socket, ClusterCredentials? credentials, LaneEndpoint endpoint, CancellationToken cancel) => credentials is null
        ? Task.FromResult(socket)
        : ShakeAsync(socket, $"{endpoint.Host}:{endpoint.Port}", e => e is AuthenticationException,
            (tls, told) => tls.AuthenticateAsClientAsync(credentials.ForCalling(endpoint.Host, CertificateUses.Node, told), cancel));

    /// <summary>Why the certificate shown on this connection does not speak for a node of that address, or null.</summary>
    public static string? Impersonation(Stream stream, NodeId node) =>
        stream is SslStream { RemoteCertificate: X509Certificate2 shown } && Akka.Actor.Address.TryParse(node.Address, out var address) && !shown.MatchesHostname(address.Host)
            ? $"Lane: \"{node}\" showed the certificate \"{shown.Subject}\", which does not name its host. Give it the folder that actorllama cert wrote for its own host."
            : null;

    private static async Task<Stream> ShakeAsync(Stream socket, string peer, Func<Exception, bool> isRefusal, Func<SslStream, Action<string>, Task> shake)
    {
        string? refusal = null;
        var tls = new SslStream(socket);
        try
        {
            await shake(tls, why => refusal = why).ConfigureAwait(false);
            return tls;
        }
        catch (Exception e)
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            if (!isRefusal(e)) throw;
            throw new LaneRefusedException(LaneRefusal.Certificate, $"Lane: {peer} is refused: {refusal ?? $"it did not shake hands with TLS ({e.Message.TrimEnd('.')})"}.");
        }
    }
}
