using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class CertTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Certs => _folder.PathOf("certs");

    [Fact]
    public async Task An_authority_and_its_folders_are_made_once_and_added_to()
    {
        var made = await InProcess.RunAsync(["cert", "init", Certs, "--node", "left=10.0.0.1,left.lan", "--node", "10.0.0.2"]);
        Assert.Equal(
            (0, $"""
                {Certs}/left: to the host of 10.0.0.1, left.lan, and there actorllama.security.certificates=DIR
                {Certs}/10.0.0.2: to the host of 10.0.0.2, and there actorllama.security.certificates=DIR
                {Certs}/client: to those who use the cluster: --certificates DIR
                {Certs}/ca: to no host; whoever has its key can join. cert add needs it

                """),
            (made.ExitCode, made.Output));

        var again = await InProcess.RunAsync(["cert", "init", Certs]);
        Assert.Equal(1, again.ExitCode);
        Assert.StartsWith($"error: Certificates: folder \"{Certs}\" is not empty.", again.Error, StringComparison.Ordinal);

        Assert.Equal(0, (await InProcess.RunAsync(["cert", "add", Certs, "--node", "10.0.0.3", "--days", "30"])).ExitCode);
        Assert.True(File.Exists(Path.Combine(Certs, "10.0.0.3", "key.pem")));
        Assert.Equal(1, (await InProcess.RunAsync(["cert", "add", Certs, "--node", "left"])).ExitCode);
    }

    [Theory]
    [InlineData("--days is 0", "init", "--days", "0")]
    [InlineData("node \"ca\"", "init", "--node", "ca")]
    [InlineData("ca.pem\" does not exist", "add", "--node", "left")]
    public async Task What_cannot_be_is_said_and_leaves_nothing(string fault, string verb, params string[] options)
    {
        var ended = await InProcess.RunAsync(["cert", verb, Certs, .. options]);
        Assert.NotEqual(0, ended.ExitCode);
        Assert.Contains(fault, ended.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Certs));
    }

    [Fact]
    public async Task Certificates_go_with_a_cluster_that_has_them()
    {
        var own = await InProcess.RunAsync(["chat", "--model", "x", "--certificates", Certs]);
        Assert.Equal(2, own.ExitCode);
        Assert.Contains("--certificates goes with --cluster", own.Error, StringComparison.Ordinal);
        var without = await InProcess.RunAsync(["cluster", "status", "--cluster", "akka.ssl.tcp://actorllama@127.0.0.1:1"]);
        Assert.Contains("--certificates", without.Error, StringComparison.Ordinal);
    }
}
