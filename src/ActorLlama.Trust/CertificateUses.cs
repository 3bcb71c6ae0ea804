namespace ActorLlama.Trust;

/// <summary>Which ends of a connection a certificate serves.</summary>
[Flags]
public enum CertificateUses
{
    /// <summary>To call others: clients and nodes.</summary>
    Call = 1,

    /// <summary>To be called: nodes.</summary>
    Listen = 2,

    Node = Call | Listen,
}

internal static class CertificateUsesOids
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>As extended key usages (RFC 5280, 4.2.1.12).</summary>
    public static IEnumerable<string> Oids(this CertificateUses uses)
    {
        if (uses.HasFlag(CertificateUses.Call)) yield return ClientAuthentication;
        if (uses.HasFlag(CertificateUses.Listen)) yield return ServerAuthentication;
    }
}
