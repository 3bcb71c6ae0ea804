using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using ActorLlama.Trust;

namespace ActorLlama.Cluster.Tests;

/// <summary>Processes with certificates: Akka, the lane and clients, all encrypted, with the tokens of one device.</summary>
public sealed class CertificateTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_cluster_with_certificates_serves_clients_that_have_them_and_no_others()
    {
        using var folder = new TemporaryFolder();
        var (certs, strange) = (folder.PathOf("certs"), folder.PathOf("strange"));
        foreach (var made in (string[])[certs, strange])
            CertificateFolders.Create(made, [NodeHosts.Parse("127.0.0.1")], TimeSpan.FromDays(2), TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(2, TestCluster.SampleModel)
        {
            ExpertShards = 2,
            Settings = [$"actorllama.security.certificates={Path.Combine(certs, "127.0.0.1")}"],
        });
        Assert.StartsWith("akka.ssl.tcp://", cluster.Address, StringComparison.Ordinal);
        var prompt = Undisturbed.Prompt(1, 20);
        Undisturbed.Same(Undisturbed.Tokens(prompt, 12), (await cluster.Generate(prompt, 12).ReadToEndAsync()).Tokens, "a node's certificate");

        await using (var client = await ClusterConnection.ConnectAsync(cluster.Address, Path.Combine(certs, "client"), s_patience))
        {
            var sampling = new SamplingOptions(0, 1, 0, 0);
            var answer = await client.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), 12) { Sampling = sampling, LogProbs = Undisturbed.TopLogProbs, IgnoreEos = true }).ReadToEndAsync();
            Undisturbed.Same(Undisturbed.Tokens(prompt, 12), answer.Tokens, "a client's certificate");
        }

        foreach (var certificates in (string?[])[Path.Combine(strange, "client"), null])
            await Assert.ThrowsAsync<ClusterUnreachableException>(() => ClusterConnection.ConnectAsync(
                cluster.Address.Replace("akka.ssl.tcp", "akka.tcp", StringComparison.Ordinal), certificates, TimeSpan.FromSeconds(2)));
        var status = await cluster.StatusAsync();
        Assert.Equal(ClusterState.Ready, status.State);
        Assert.All(status.Nodes, node => Assert.True(node.Counters.LaneBytesSent > 0));
        var log = await File.ReadAllTextAsync(cluster.Processes[0].Log);
        Assert.Contains("not by this cluster's authority", log, StringComparison.Ordinal);
        Assert.Contains("TLS handshake failure", log, StringComparison.Ordinal);
    }
}
