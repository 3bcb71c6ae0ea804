using System.Collections.Immutable;
using ActorLlama.Cli;
using ActorLlama.Protocol;
using Xunit.Abstractions;

namespace ActorLlama.Cluster.Tests;

/// <summary>One of three processes is killed while sessions run: their tokens are those of a run that nothing disturbed.</summary>
public sealed class NodeLossTests(ITestOutputHelper output)
{
    /// <summary>Bound of any answer to a loss: the session's own, and a margin to read it.</summary>
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(15);

    private const int Tokens = 450;

    [Fact]
    public async Task Sessions_go_on_when_the_node_of_the_trunk_dies()
    {
        await using var cluster = await ThreeNodesAsync();
        await LoseAsync(cluster, HolderOfStage0);
    }

    [Fact]
    public async Task Sessions_go_on_when_the_node_in_the_middle_of_the_trunk_dies()
    {
        await using var cluster = await ThreeNodesAsync(stages: 3, shards: 1);
        await LoseAsync(cluster, status => status.Nodes.Single(n => n.Stages.Any(s => s.Placement.Index == 1)).Name);
    }

    [Fact]
    public async Task Sessions_go_on_when_a_node_dies_that_holds_nothing_but_sessions()
    {
        await using var cluster = await ThreeNodesAsync(stages: 1, shards: 1);
        await LoseAsync(cluster, status => status.Nodes.Where(n => n.Stages.Length + n.Shards.Length == 0).MaxBy(n => n.Counters.Sessions)!.Name);
    }

    /// <summary>No stage, no expert shard, no session: it is a member and no more.</summary>
    [Fact]
    public async Task Nothing_changes_when_a_node_dies_that_takes_no_part()
    {
        await using var cluster = await ThreeNodesAsync(stages: 1, shards: 1);
        const int count = 900;
        var prompt = Undisturbed.Prompt(40, 12);
        var expected = Undisturbed.Tokens(prompt, count);
        var (stream, before, idle) = await BesideAnIdleNodeAsync(cluster, prompt, count);
        cluster.Kill(idle);
        var seen = stream.Count;
        await stream.EndAsync();
        Assert.InRange(seen, 20, count - 50);
        Undisturbed.Same(expected, stream.Ids, "the session");
        output.WriteLine($"longest pause {stream.LongestPause.TotalSeconds:0.00} s");
        var after = await cluster.WaitUntilAsync(s => s.Nodes.Length == 2, "two nodes");
        Assert.Equal((ClusterState.Ready, before.Plan.Epoch), (after.State, after.Plan.Epoch));
    }

    [Fact]
    public async Task A_long_prompt_is_computed_again_when_a_node_dies_meanwhile()
    {
        await using var cluster = await ThreeNodesAsync();
        var prompt = Undisturbed.Prompt(50, 900);
        var expected = Undisturbed.Tokens(prompt, 20);
        var victim = HolderOfStage0(await cluster.StatusAsync());
        var stream = cluster.Generate(prompt, 20);
        var running = new RunningStream(stream);
        await stream.PromptTokens;
        cluster.Kill(victim);
        var before = running.Count;
        await running.EndAsync();
        Assert.Equal(0, before);
        Undisturbed.Same(expected, running.Ids, "the session");
    }

    /// <summary>A session lives on whatever node its name falls on: another one is opened while that is the only node without stages and experts.</summary>
    private static async Task<(RunningStream Stream, ClusterProtocol.Status Before, string Idle)> BesideAnIdleNodeAsync(
        TestCluster cluster, ImmutableArray<int> prompt, int count)
    {
        for (var tries = 0; tries < 20; tries++)
        {
            var session = cluster.Generate(prompt, count);
            var stream = new RunningStream(session);
            await stream.WaitForAsync(20);
            var status = await cluster.WaitUntilAsync(s => s.Nodes.Sum(n => n.Counters.Sessions) == 1, "one session");
            if (status.Nodes.FirstOrDefault(n => n.Stages.Length + n.Shards.Length + n.Counters.Sessions == 0) is { } idle)
                return (stream, status, idle.Name);
            session.Cancel();
            await stream.EndAsync();
            await cluster.WaitUntilAsync(s => s.Nodes.Sum(n => n.Counters.Sessions) == 0, "no session");
        }

        throw new InvalidOperationException("Twenty sessions have all lived on the one node without stages and experts.");
    }

    private static Task<TestCluster> ThreeNodesAsync(int? stages = null, int? shards = null) =>
        TestCluster.StartAsync(new LocalClusterOptions(3, TestCluster.SampleModel) { Stages = stages, ExpertShards = shards });

    /// <summary>
    /// Kills a node while four sessions, on whatever nodes, have had some of their tokens and not all: two are greedy; two draw, as other
    /// choices of one seed, with a penalty on what their sequences hold. Log-probabilities come with each token whatever happens.
    /// </summary>
    private async Task LoseAsync(TestCluster cluster, Func<ClusterProtocol.Status, string> victim)
    {
        ImmutableArray<ImmutableArray<int>> prompts = [.. Enumerable.Range(1, 4).Select(i => Undisturbed.Prompt(i, 5 * i))];
        var sampling = Enumerable.Range(0, prompts.Length).Select(i => i < 2 ? null : new SamplingOptions(0.9, 0.95, 0, 7, RepetitionPenalty: 1.2)).ToArray();
        var expected = prompts.Select((p, i) => Undisturbed.Sampled(p, Tokens, sampling[i], i)).ToArray();
        var streams = prompts.Select((p, i) => new RunningStream(cluster.Generate(p, Tokens, sampling[i], i))).ToArray();
        foreach (var stream in streams) await stream.WaitForAsync(50);
        var status = await cluster.WaitUntilAsync(s => s.Nodes.Sum(n => n.Counters.Sessions) == streams.Length, "four sessions");
        cluster.Kill(victim(status));
        var seen = streams.Max(s => s.Count);
        foreach (var stream in streams) await stream.EndAsync();
        Assert.InRange(seen, 50, Tokens - 50);
        for (var i = 0; i < streams.Length; i++)
        {
            Undisturbed.Same([.. expected[i].Select(t => t.Id)], streams[i].Ids, $"session {i}");
            Assert.Equal(expected[i].Select(t => t.LogProbs), streams[i].LogProbs);
            output.WriteLine($"session {i}: longest pause {streams[i].LongestPause.TotalSeconds:0.00} s");
            Assert.True(streams[i].LongestPause < s_bound, $"session {i} paused for {streams[i].LongestPause}");
        }
    }

    private static string HolderOfStage0(ClusterProtocol.Status status) =>
        status.Nodes.Single(n => n.Stages.Any(s => s.Placement.Index == 0)).Name;
}
