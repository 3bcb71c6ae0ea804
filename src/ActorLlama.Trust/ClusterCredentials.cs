using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Akka.Event;
using Akka.Remote.Transport.DotNetty;

namespace ActorLlama.Trust;

/// <summary>What a node or a client shows to others, and the authority that it believes. Holds a private key, which <see cref="Dispose"/> lets go.</summary>
public sealed class ClusterCredentials : IDisposable
{
    private static readonly TimeSpan s_renewBefore = TimeSpan.FromDays(30);
    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _own;
    private readonly TimeProvider _time;
    private readonly SslStreamCertificateContext _context;

    private ClusterCredentials(X509Certificate2 authority, X509Certificate2 own, TimeProvider time)
    {
        (_authority, _own, _time) = (authority, own, time);
        _context = SslStreamCertificateContext.Create(own, additionalCertificates: null, offline: true);
    }

    /// <summary>What its owner should know before it is too late.</summary>
    public IEnumerable<string> Warnings
    {
        get
        {
            DateTimeOffset until = _own.NotAfter;
            if (until - _time.GetUtcNow() < s_renewBefore)
                yield return $"the certificate \"{_own.Subject}\" is valid until {until.UtcDateTime:yyyy-MM-dd HH:mm}Z: no connection begins after that. Make a new one with actorllama cert add.";
        }
    }

    /// <summary>
    /// Opens a folder that <c>actorllama cert</c> wrote, to call others with. Throws <see cref="InvalidDataException"/> for files that are not there, are none, do not go together or
    /// have expired.
    /// </summary>
    public static ClusterCredentials Load(string folder, TimeProvider time) => Load(folder, CertificateUses.Call, host: null, time);

    /// <summary>Like <see cref="Load(string, TimeProvider)"/>, for a node that others call at <paramref name="host"/>.</summary>
    public static ClusterCredentials LoadNode(string folder, string host, TimeProvider time) => Load(folder, CertificateUses.Node, host, time);

    /// <summary>Why a peer that showed this certificate is not believed, or null.</summary>
    public string? Refusal(X509Certificate2? shown, CertificateUses uses, string? host) => TrustRules.Refusal(shown, _authority, uses, host, _time.GetUtcNow());

    /// <summary>For the side that was called. <paramref name="refused"/> is told why a peer is not believed.</summary>
    public SslServerAuthenticationOptions ForListening(CertificateUses uses, Action<string> refused) => new()
    {
        ServerCertificateContext = _context,
        ClientCertificateRequired = true,
        AllowRenegotiation = false,
        AllowTlsResume = false,
        CertificateChainPolicy = TrustRules.Policy(_authority, uses, _time.GetUtcNow()),
        RemoteCertificateValidationCallback = (_, shown, _, _) => Believes(shown, uses, null, refused),
    };

    /// <summary>For the side that calls <paramref name="host"/>.</summary>
    public SslClientAuthenticationOptions ForCalling(string host, CertificateUses uses, Action<string> refused) => new()
    {
        TargetHost = host,
        ClientCertificateContext = _context,
        AllowRenegotiation = false,
        AllowTlsResume = false,
        CertificateChainPolicy = TrustRules.Policy(_authority, uses, _time.GetUtcNow()),
        RemoteCertificateValidationCallback = (_, shown, _, _) => Believes(shown, uses, host, refused),
    };

    /// <summary>Akka's connections, both ends of which show certificates. What is refused is logged with its address.</summary>
    public DotNettySslSetup ForAkka() => new(_own, suppressValidation: false, requireMutualAuthentication: true, (shown, _, peer, _, log) => Believes(shown, peer, log));

    public void Dispose()
    {
        _own.Dispose();
        _authority.Dispose();
    }

    private static ClusterCredentials Load(string folder, CertificateUses uses, string? host, TimeProvider time)
    {
        var authority = CertificateFolders.LoadAuthority(folder);
        X509Certificate2? own = null;
        try
        {
            own = CertificateFolders.Load(folder, CertificateFolders.CertificateFile);
            return TrustRules.Refusal(own, authority, uses, host, time.GetUtcNow()) is { } fault
                ? throw new InvalidDataException($"Certificates: folder \"{folder}\" does not serve here: {fault}. Take the folder of this host, or write one with actorllama cert add.")
                : new ClusterCredentials(authority, own, time);
        }
        catch
        {
            own?.Dispose();
            authority.Dispose();
            throw;
        }
    }

    /// <summary>Akka names a peer that was called by its address "ssl.tcp://SYSTEM@HOST:PORT", one that called by its socket's.</summary>
    private bool Believes(X509Certificate2? shown, string peer, ILoggingAdapter log)
    {
        var called = peer.Contains("://", StringComparison.Ordinal) ? new Uri(peer).DnsSafeHost : null;
        return Believes(
            shown, called is null ? CertificateUses.Call : CertificateUses.Listen, called, why => log.Warning("Connection with {Peer} refused: {Reason}", peer, why));
    }

    private bool Believes(X509Certificate? shown, CertificateUses uses, string? host, Action<string> refused)
    {
        if (Refusal(shown as X509Certificate2, uses, host) is not { } why) return true;
        refused(why);
        return false;
    }
}
