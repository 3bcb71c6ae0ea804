using System.Diagnostics;
using ActorLlama.Cli;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.TestKit;

namespace ActorLlama.Cluster.Tests;

/// <summary>A ready cluster of real node processes on this machine, and a client's connection to it.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);
    private readonly Attachment _attachment;

    private TestCluster(Attachment attachment) => _attachment = attachment;

    public static string SampleModel { get; } = Path.Combine(Shared.RepositoryRoot, "models", "bard");

    public ClusterConnection Connection => _attachment.Connection;

    public IReadOnlyList<LocalNode> Processes => _attachment.Own!.Nodes;

    public string Address => _attachment.Own!.Address;

    public static async Task<TestCluster> StartAsync(LocalClusterOptions options)
    {
        using var timeout = new CancellationTokenSource(s_start);
        return new TestCluster(await Attachment.ToOwnAsync(options, timeout.Token, onStatus: _ => { }));
    }

    public Task<ClusterProtocol.Status> StatusAsync() => Connection.GetStatusAsync(s_answer);

    /// <summary>Asks for the status until it is as wanted; fails with the last one when it never is.</summary>
    public async Task<ClusterProtocol.Status> WaitUntilAsync(Func<ClusterProtocol.Status, bool> wanted, string what)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var status = await StatusAsync();
            if (wanted(status)) return status;
            Assert.True(clock.Elapsed < s_answer, $"the cluster never came to {what}: {status} {string.Join(" ", status.Nodes.Select(n => n.Counters))}");
            await Task.Delay(s_poll);
        }
    }

    public void Kill(string node) => Signal(node, ProcessSignal.Kill);

    public void Signal(string node, int signal) => Assert.True(ProcessSignal.TrySend(Processes.Single(n => n.Name == node).Pid, signal));

    public GenerationStream Generate(IEnumerable<int> prompt, int maxTokens, SamplingOptions? sampling = null, int choice = 0, TimeSpan? busyTimeout = null) =>
        Connection.OpenSession(new GenerationRequest(GenerationRequest.Tokens(prompt), maxTokens)
        {
            Sampling = sampling ?? new SamplingOptions(0, 1, 0, 0),
            Choice = choice,
            LogProbs = Undisturbed.TopLogProbs,
            IgnoreEos = true,
            BusyTimeout = busyTimeout ?? TimeSpan.FromSeconds(60),
        });

    public ValueTask DisposeAsync() => _attachment.DisposeAsync();
}
