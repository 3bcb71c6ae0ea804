using ActorLlama.TestKit;
using ActorLlama.Trust;

namespace ActorLlama.Runtime.Tests.Trust;

public sealed class CertificateFoldersTests : IDisposable
{
    private static readonly TimeSpan s_month = TimeSpan.FromDays(31);
    private static readonly DateTimeOffset s_now = DateTimeOffset.UtcNow;
    private readonly TemporaryFolder _temporary = new();
    private readonly string _folder;

    public CertificateFoldersTests()
    {
        _folder = _temporary.PathOf("certs");
        CertificateFolders.Create(_folder, [NodeHosts.Parse("left=10.0.0.1,left.lan"), NodeHosts.Parse("10.0.0.2")], s_month, s_now);
    }

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void Each_gets_a_folder_and_keys_are_their_owners_alone()
    {
        Assert.Equal(["10.0.0.2", "ca", "client", "left"], Directory.GetDirectories(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var folder in Directory.GetDirectories(_folder))
        {
            if (OperatingSystem.IsWindows()) return;
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder, "key.pem")));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        }

        Assert.False(File.Exists(Path.Combine(_folder, "ca", "certificate.pem")));
    }

    [Fact]
    public void A_folder_opens_for_its_own_hosts_only()
    {
        foreach (var host in (string[])["10.0.0.1", "left.lan"]) ClusterCredentials.LoadNode(Path.Combine(_folder, "left"), host, TimeProvider.System).Dispose();
        Assert.Contains("\"10.0.0.2\"", Fault(() => ClusterCredentials.LoadNode(Path.Combine(_folder, "left"), "10.0.0.2", TimeProvider.System)), StringComparison.Ordinal);
        ClusterCredentials.Load(Path.Combine(_folder, "client"), TimeProvider.System).Dispose();
        Assert.Contains("is a client's", Fault(() => ClusterCredentials.LoadNode(Path.Combine(_folder, "client"), "10.0.0.1", TimeProvider.System)), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_overwritten()
    {
        Assert.Contains("is not empty", Fault(() => CertificateFolders.Create(_folder, [], s_month, s_now)), StringComparison.Ordinal);
        Assert.Contains("exists", Fault(() => CertificateFolders.Add(_folder, [NodeHosts.Parse("new"), NodeHosts.Parse("left")], s_month, s_now)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "new")));
    }

    [Fact]
    public void A_node_that_is_added_later_is_believed_by_the_first()
    {
        CertificateFolders.Add(_folder, [NodeHosts.Parse("10.0.0.3")], s_month, s_now);
        using var first = ClusterCredentials.LoadNode(Path.Combine(_folder, "10.0.0.2"), "10.0.0.2", TimeProvider.System);
        using var added = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, "10.0.0.3", "certificate.pem"));
        Assert.Null(first.Refusal(added, CertificateUses.Node, "10.0.0.3"));
        Assert.Contains("valid until", Assert.Single(Warnings(s_now.AddDays(2))), StringComparison.Ordinal);
        Assert.Empty(Warnings(s_now));
    }

    [Theory]
    [InlineData("ca", "\"ca\"")]
    [InlineData("client", "\"client\"")]
    [InlineData("../up", "../up")]
    [InlineData("a=not a host", "not a host")]
    [InlineData("a=", "no host")]
    public void A_name_that_cannot_be_is_named(string node, string named) =>
        Assert.Contains(named, Fault(() => CertificateFolders.Add(_folder, [NodeHosts.Parse(node)], s_month, s_now)), StringComparison.Ordinal);

    [Fact]
    public void A_file_that_is_missing_or_none_is_named()
    {
        var left = Path.Combine(_folder, "left");
        File.WriteAllText(Path.Combine(left, "certificate.pem"), "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n");
        Assert.Contains("certificate.pem", Fault(() => ClusterCredentials.Load(left, TimeProvider.System)), StringComparison.Ordinal);
        File.Copy(Path.Combine(_folder, "10.0.0.2", "certificate.pem"), Path.Combine(left, "certificate.pem"), overwrite: true);
        Assert.Contains("key.pem", Fault(() => ClusterCredentials.Load(left, TimeProvider.System)), StringComparison.Ordinal);
        File.Delete(Path.Combine(left, "key.pem"));
        Assert.Contains("key.pem\" does not exist", Fault(() => ClusterCredentials.Load(left, TimeProvider.System)), StringComparison.Ordinal);
        Assert.Contains("ca.pem\" does not exist", Fault(() => ClusterCredentials.Load(_temporary.PathOf("none"), TimeProvider.System)), StringComparison.Ordinal);
    }

    private string[] Warnings(DateTimeOffset now)
    {
        using var opened = ClusterCredentials.Load(Path.Combine(_folder, "left"), new At(now));
        return [.. opened.Warnings];
    }

    private static string Fault(Action act) => Assert.Throws<InvalidDataException>(act).Message;

    private sealed class At(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
