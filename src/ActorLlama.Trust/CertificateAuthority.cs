using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ActorLlama.Trust;

/// <summary>Signs the certificates of one cluster. Holds a private key, which <see cref="Dispose"/> lets go.</summary>
public sealed class CertificateAuthority : IDisposable
{
    private const int SerialBytes = 16;

    /// <summary>Clocks of hosts differ.</summary>
    private static readonly TimeSpan s_clockDifference = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_ownValidity = TimeSpan.FromDays(3650);

    internal CertificateAuthority(X509Certificate2 certificate) => Certificate = certificate;

    /// <summary>With its private key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>A new authority with a name of its own, valid for ten years.</summary>
    public static CertificateAuthority Create(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request($"CN=ActorLlama authority {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}", key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        return new CertificateAuthority(request.CreateSelfSigned(now - s_clockDifference, now + s_ownValidity));
    }

    /// <summary>A certificate with a new key.</summary>
    /// <param name="name">Whose it is.</param>
    /// <param name="hosts">Names and addresses at which it may be called; none for a client.</param>
    /// <param name="validity">How long it serves, from <paramref name="now"/> on; no longer than the authority's own.</param>
    /// <param name="now">When.</param>
    public X509Certificate2 Issue(string name, IReadOnlyCollection<string> hosts, TimeSpan validity, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request($"CN={name}", key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        var uses = hosts.Count > 0 ? CertificateUses.Node : CertificateUses.Call;
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. uses.Oids().Select(oid => new Oid(oid))], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (hosts.Count > 0) request.CertificateExtensions.Add(Names(hosts));
        var until = now + validity;
        var last = new DateTimeOffset(Certificate.NotAfter);
        using var signed = request.Create(Certificate, now - s_clockDifference, until < last ? until : last, RandomNumberGenerator.GetBytes(SerialBytes));
        return signed.CopyWithPrivateKey(key);
    }

    public void Dispose() => Certificate.Dispose();

    private static CertificateRequest Request(string subject, ECDsa key)
    {
        var request = new CertificateRequest(new X500DistinguishedName(subject), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private static X509Extension Names(IEnumerable<string> hosts)
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
            if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
            else names.AddDnsName(host);
        return names.Build();
    }
}
