using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ActorLlama.Trust;

/// <summary>Whom this side of a connection believes.</summary>
public static class TrustRules
{
    private const X509ChainStatusFlags Unsigned =
        X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.NotSignatureValid | X509ChainStatusFlags.ExplicitDistrust;

    /// <summary>Null: the peer is believed. Otherwise why not, to follow its address in a sentence.</summary>
    /// <param name="shown">The certificate that the peer showed and proved to have the key of, or null.</param>
    /// <param name="authority">The only one whose signature counts.</param>
    /// <param name="uses">What the certificate must serve for.</param>
    /// <param name="host">The host that was called, by name or address; null where the peer called.</param>
    /// <param name="now">When.</param>
    public static string? Refusal(X509Certificate2? shown, X509Certificate2 authority, CertificateUses uses, string? host, DateTimeOffset now)
    {
        if (shown is null) return "it shows no certificate";
        using var chain = new X509Chain { ChainPolicy = Policy(authority, uses, now) };
        if (!chain.Build(shown)) return $"its certificate \"{shown.Subject}\" {Fault(shown, authority, chain)}";
        return host is not null && !shown.MatchesHostname(host) ? $"its certificate \"{shown.Subject}\" does not name the host \"{host}\"" : null;
    }

    /// <summary>Chains that end in this authority, built from what is at hand.</summary>
    internal static X509ChainPolicy Policy(X509Certificate2 authority, CertificateUses uses, DateTimeOffset now)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTime = now.UtcDateTime,
            VerificationTimeIgnored = false,
        };
        policy.CustomTrustStore.Add(authority);
        foreach (var oid in uses.Oids()) policy.ApplicationPolicy.Add(new Oid(oid));
        return policy;
    }

    private static string Fault(X509Certificate2 shown, X509Certificate2 authority, X509Chain chain)
    {
        var status = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status);
        return (status & Unsigned) != 0 ? $"was signed by \"{shown.Issuer}\", not by this cluster's authority \"{authority.Subject}\""
            : status.HasFlag(X509ChainStatusFlags.NotTimeValid) ? $"is valid from {Text(shown.NotBefore)} to {Text(shown.NotAfter)} only"
            : status.HasFlag(X509ChainStatusFlags.NotValidForUsage) ? "is a client's, where a node's is needed"
            : $"is not valid: {status}";
    }

    private static string Text(DateTime time) => $"{time.ToUniversalTime():yyyy-MM-dd HH:mm}Z";
}
