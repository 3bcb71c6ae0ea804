using ActorLlama.Cli;
using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Cluster.Tests;

/// <summary>What sessions used is given back: nothing grows with their number or their length.</summary>
public sealed class ResourceTests
{
    /// <summary>Connections come and go; one handle kept for each session would be thirty.</summary>
    private const int HandleNoise = 6;

    [Fact]
    public async Task Sessions_that_finished_or_were_cancelled_leave_nothing_behind()
    {
        // What is kept of finished sequences would hide what is lost.
        await using var cluster = await TestCluster.StartAsync(
            new LocalClusterOptions(3, TestCluster.SampleModel) { Stages = 2, ExpertShards = 4, Settings = ["actorllama.scheduler.prefix-sharing=off"] });
        await RoundsAsync(2);
        var early = await cluster.WaitUntilAsync(s => s.Nodes.All(n => IsAtRest(n.Counters)), "rest after the first sessions have ended");
        await RoundsAsync(3);
        // Memory is watched over a long run, in bench: here compilation goes on beside it.
        var late = await cluster.WaitUntilAsync(
            s => s.Nodes.All(n => IsAtRest(n.Counters)) && Handles(s) <= Handles(early) + HandleNoise, $"rest with the {Handles(early)} handles of before");
        Assert.Equal(3, late.Nodes.Length);

        async Task RoundsAsync(int count)
        {
            for (var round = 0; round < count; round++)
                await Task.WhenAll(Enumerable.Range(0, 10).Select(i => i % 2 == 0 ? FinishAsync(cluster, i) : CancelAsync(cluster, i)));
        }
    }

    [Fact]
    public void Thousands_of_steps_leave_no_activation_behind()
    {
        _ = Undisturbed.Tokens(Undisturbed.Prompt(70, 3), 1);
        var before = Activation.Live;
        for (var seed = 71; seed < 74; seed++) _ = Undisturbed.Tokens(Undisturbed.Prompt(seed, 20), 1000);
        Assert.Equal(before, Activation.Live);
    }

    private static async Task FinishAsync(TestCluster cluster, int seed)
    {
        var prompt = Undisturbed.Prompt(seed, 3 + (7 * seed));
        var result = await cluster.Generate(prompt, 6).ReadToEndAsync();
        Undisturbed.Same(Undisturbed.Tokens(prompt, 6), result.Tokens, $"session {seed}");
    }

    private static async Task CancelAsync(TestCluster cluster, int seed)
    {
        var stream = cluster.Generate(Undisturbed.Prompt(seed, 100 + seed), 500);
        await foreach (var token in stream)
            if (token.Index == seed) break;
        Assert.Equal(FinishReason.Cancelled, (await stream.Completion).Reason);
    }

    private static int Handles(ClusterProtocol.Status status) => status.Nodes.Sum(n => n.Counters.Handles);

    private static bool IsAtRest(NodeProtocol.NodeCounters c) => c is { LivePayloads: 0, LiveActivations: 0, KvBytes: 0, Sessions: 0 };
}
