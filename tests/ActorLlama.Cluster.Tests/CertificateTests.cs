using System.Diagnostics;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using ActorLlama.Trust;

namespace ActorLlama.Cluster.Tests;

/// <summary>Processes with certificates: Akka, the lane and clients, all encrypted, with the tokens of one device.</summary>
public sealed class CertificateTests
{
    private const string Host = "127.0.0.1";
    private const int Tries = 2;
    private const int Tokens = 450;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>A process that starts on a busy machine, and is not let in.</summary>
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(60);

    /// <summary>A node of another authority and one without any, each started again and again as a host does, and one whose certificate has expired.</summary>
    [Fact]
    public async Task Strangers_that_keep_trying_are_refused_each_time_told_of_once_a_minute_and_disturb_nobody()
    {
        using var folder = new TemporaryFolder();
        var (certs, strange, expired) = (folder.PathOf("certs"), folder.PathOf("strange"), folder.PathOf("expired"));
        var now = TimeProvider.System.GetUtcNow();
        var clock = Stopwatch.StartNew();
        foreach (var (made, begin) in (ReadOnlySpan<(string, DateTimeOffset)>)[(certs, now), (strange, now), (expired, now.AddYears(-1))])
            CertificateFolders.Create(made, [NodeHosts.Parse(Host)], TimeSpan.FromDays(2), begin);
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(2, TestCluster.SampleModel)
        {
            ExpertShards = 2,
            Settings = [$"actorllama.security.certificates={Path.Combine(certs, Host)}"],
        });
        var before = await cluster.StatusAsync();
        var prompt = Undisturbed.Prompt(2, 20);
        var expected = Undisturbed.Tokens(prompt, Tokens);
        var running = new RunningStream(cluster.Generate(prompt, Tokens));

        using var children = new ChildThread();
        string[] ends = [.. (await Task.WhenAll(TryAsync("foreign", Path.Combine(strange, Host)), TryAsync("plain", ""), TryAsync("late", Path.Combine(expired, Host)))).SelectMany(e => e)];
        Assert.All(ends[..(2 * Tries)], end => Assert.Contains("let this one join", end, StringComparison.Ordinal));
        Assert.All(ends[(2 * Tries)..], end => Assert.Contains("is valid from", end, StringComparison.Ordinal));

        await running.EndAsync();
        Undisturbed.Same(expected, running.Ids, "the session");
        var after = await cluster.StatusAsync();
        Assert.Equal((ClusterState.Ready, before.Plan.Epoch), (after.State, after.Plan.Epoch));
        Assert.Equal(before.Nodes.Select(n => n.Node), after.Nodes.Select(n => n.Node));
        var lines = await File.ReadAllLinesAsync(cluster.Processes[0].Log);
        foreach (var refusal in (string[])["not by this cluster's authority", "Rejected incoming connection"])
            Assert.InRange(lines.Count(line => line.Contains(refusal, StringComparison.Ordinal)), 1, 1 + (int)clock.Elapsed.TotalMinutes);

        async Task<string[]> TryAsync(string name, string certificates)
        {
            List<string> said = [];
            for (var i = 0; i < Tries; i++)
            {
                string[] settings =
                [
                    .. new LocalClusterOptions(2, TestCluster.SampleModel).SettingsOf(2, cluster.Address.Replace("akka.ssl.tcp", "akka.tcp", StringComparison.Ordinal)),
                    $"actorllama.security.certificates=\"{certificates}\"", "actorllama.cluster.join-timeout=3s",
                ];
                await using var node = await LocalNode.StartAsync(children, name, ProgramFiles.Config("local-3.conf"), settings, folder.PathOf($"{name}-{i}.log"), []);
                said.Add((await Assert.ThrowsAsync<LocalNodeException>(() => node.WaitForAddressAsync(CancellationToken.None).WaitAsync(s_end))).Message);
            }

            return [.. said];
        }
    }

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

        foreach (var (certificates, logged) in ((string?, string)[])[(Path.Combine(strange, "client"), "not by this cluster's authority"), (null, "TLS handshake failure")])
        {
            // On a busy machine an attempt may end before the node has looked at it.
            var clock = Stopwatch.StartNew();
            do
                await Assert.ThrowsAsync<ClusterUnreachableException>(() => ClusterConnection.ConnectAsync(
                    cluster.Address.Replace("akka.ssl.tcp", "akka.tcp", StringComparison.Ordinal), certificates, TimeSpan.FromSeconds(2)));
            while (!(await File.ReadAllTextAsync(cluster.Processes[0].Log)).Contains(logged, StringComparison.Ordinal) && clock.Elapsed < s_patience);
        }

        var status = await cluster.StatusAsync();
        Assert.Equal(ClusterState.Ready, status.State);
        Assert.All(status.Nodes, node => Assert.True(node.Counters.LaneBytesSent > 0));
        var log = await File.ReadAllTextAsync(cluster.Processes[0].Log);
        Assert.Contains("not by this cluster's authority", log, StringComparison.Ordinal);
        Assert.Contains("TLS handshake failure", log, StringComparison.Ordinal);
    }
}
