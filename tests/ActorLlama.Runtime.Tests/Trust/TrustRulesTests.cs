using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ActorLlama.Trust;

namespace ActorLlama.Runtime.Tests.Trust;

public sealed class TrustRulesTests : IDisposable
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan s_year = TimeSpan.FromDays(365);
    private readonly CertificateAuthority _authority = CertificateAuthority.Create(s_now);
    private readonly X509Certificate2 _node;
    private readonly X509Certificate2 _client;

    public TrustRulesTests() => (_node, _client) = (
        _authority.Issue("left", ["10.0.0.1", "left.lan"], s_year, s_now), _authority.Issue("client", [], s_year, s_now));

    public void Dispose()
    {
        _node.Dispose();
        _client.Dispose();
        _authority.Dispose();
    }

    [Theory]
    [InlineData(CertificateUses.Call, null)]
    [InlineData(CertificateUses.Listen, "10.0.0.1")]
    [InlineData(CertificateUses.Node, "left.lan")]
    public void A_node_is_believed_at_its_hosts_and_where_it_calls(CertificateUses uses, string? host) => Assert.Null(Refusal(_node, uses, host));

    [Fact]
    public void A_client_is_believed_where_it_calls_and_nowhere_else()
    {
        Assert.Null(Refusal(_client, CertificateUses.Call));
        Assert.Contains("is a client's", Refusal(_client, CertificateUses.Listen), StringComparison.Ordinal);
        Assert.Contains("\"CN=client\"", Refusal(_client, CertificateUses.Node), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("right.lan")]
    public void A_node_is_not_believed_at_another_host(string host) => Assert.Contains($"\"{host}\"", Refusal(_node, CertificateUses.Listen, host), StringComparison.Ordinal);

    [Fact]
    public void Who_shows_nothing_is_not_believed() => Assert.Equal("it shows no certificate", Refusal(null, CertificateUses.Call));

    [Theory]
    [InlineData(-2, "2026-11-26")]
    [InlineData(366, "2027-11-26")]
    public void Before_and_after_its_time_it_is_not_believed(int days, string named) =>
        Assert.Contains(named, TrustRules.Refusal(_node, _authority.Certificate, CertificateUses.Call, null, s_now.AddDays(days)), StringComparison.Ordinal);

    [Fact]
    public void Another_authority_is_named_with_ours()
    {
        using var stranger = CertificateAuthority.Create(s_now);
        using var theirs = stranger.Issue("left", ["10.0.0.1"], s_year, s_now);
        var refusal = Refusal(theirs, CertificateUses.Call);
        Assert.Contains($"\"{stranger.Certificate.Subject}\"", refusal, StringComparison.Ordinal);
        Assert.Contains($"\"{_authority.Certificate.Subject}\"", refusal, StringComparison.Ordinal);
        Assert.NotNull(Refusal(stranger.Certificate, CertificateUses.Call));
    }

    [Fact]
    public void An_authority_of_the_same_name_with_another_key_is_a_stranger()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(_authority.Certificate.SubjectName, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        foreach (var extension in _authority.Certificate.Extensions.OfType<X509SubjectKeyIdentifierExtension>()) request.CertificateExtensions.Add(extension);
        using var own = new CertificateAuthority(request.CreateSelfSigned(s_now.AddHours(-1), s_now.AddYears(2)));
        using var theirs = own.Issue("left", ["10.0.0.1"], s_year, s_now);
        Assert.Contains("not by this cluster's authority", Refusal(theirs, CertificateUses.Call), StringComparison.Ordinal);
    }

    /// <summary>A node's key signs nothing: whoever takes it gets one node.</summary>
    [Fact]
    public void What_a_node_signs_is_not_believed()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=left", key, HashAlgorithmName.SHA256);
        using var nodeKey = _node.GetECDsaPrivateKey()!;
        using var theirs = request.Create(_node.SubjectName, X509SignatureGenerator.CreateForECDsa(nodeKey), s_now, s_now.AddDays(1), [1, 2, 3]);
        Assert.NotNull(Refusal(theirs, CertificateUses.Call));
    }

    private string? Refusal(X509Certificate2? shown, CertificateUses uses, string? host = null) => TrustRules.Refusal(shown, _authority.Certificate, uses, host, s_now);
}
