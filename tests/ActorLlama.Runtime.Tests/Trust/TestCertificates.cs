using System.Net.Security;
using ActorLlama.TestKit;
using ActorLlama.Trust;

namespace ActorLlama.Runtime.Tests.Trust;

/// <summary>
/// Certificates of an authority, for 127.0.0.1 and for a host elsewhere, one that has expired, and those of a stranger's authority. What a test opens is closed with it.
/// </summary>
internal sealed class TestCertificates : IDisposable
{
    public const string Host = "127.0.0.1";
    private static readonly TimeSpan s_long = TimeSpan.FromDays(3650);
    private static readonly DateTimeOffset s_past = DateTimeOffset.UtcNow.AddYears(-3);
    private readonly TemporaryFolder _folder = new();
    private readonly List<ClusterCredentials> _opened = [];

    public TestCertificates()
    {
        CertificateFolders.Create(Path("ours"), [NodeHosts.Parse(Host), NodeHosts.Parse("elsewhere=10.1.2.3,elsewhere.lan")], s_long, s_past);
        CertificateFolders.Add(Path("ours"), [NodeHosts.Parse($"expired={Host}")], TimeSpan.FromDays(1), s_past);
        CertificateFolders.Create(Path("strange"), [NodeHosts.Parse(Host)], s_long, s_past);
    }

    public string Path(params string[] parts) => _folder.PathOf(parts);

    public ClusterCredentials Node => Open("ours", Host);

    public ClusterCredentials Elsewhere => Open("ours", "elsewhere");

    public ClusterCredentials Client => Open("ours", CertificateFolders.Client);

    public ClusterCredentials Stranger => Open("strange", Host);

    /// <summary>Opened in time; its holder does not know that the time is over.</summary>
    public ClusterCredentials Expired => Open(new PastTime(), "ours", "expired");

    /// <summary>What a peer that is to be refused calls with: it believes whatever it finds. Null: it shows nothing.</summary>
    public static SslClientAuthenticationOptions Calling(ClusterCredentials? shows)
    {
        var options = shows?.ForCalling(Host, CertificateUses.Listen, _ => { }) ?? new SslClientAuthenticationOptions { TargetHost = Host };
        options.RemoteCertificateValidationCallback = (_, found, _, _) => found is not null;
        return options;
    }

    /// <summary>Peers with TLS that no node's port lets in, and why.</summary>
    public (string Who, SslClientAuthenticationOptions Options, string Why)[] Refused() =>
    [
        ("a stranger", Calling(Stranger), "not by this cluster's authority"),
        ("nobody", Calling(null), "no certificate"),
        ("one that has expired", Calling(Expired), "is valid from"),
    ];

    public void Dispose()
    {
        foreach (var opened in _opened) opened.Dispose();
        _folder.Dispose();
    }

    private ClusterCredentials Open(params string[] parts) => Open(TimeProvider.System, parts);

    private ClusterCredentials Open(TimeProvider time, params string[] parts)
    {
        var opened = ClusterCredentials.Load(Path(parts), time);
        _opened.Add(opened);
        return opened;
    }

    private sealed class PastTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => s_past;
    }
}
