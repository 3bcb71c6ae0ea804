using ActorLlama.Cli;
using ActorLlama.Protocol;
using ActorLlama.TestKit;
using Xunit.Abstractions;

namespace ActorLlama.Cluster.Tests;

/// <summary>A node is emptied and stopped while sessions stream: none fails, and their tokens are those of a run that nothing disturbed.</summary>
public sealed class DrainTests(ITestOutputHelper output)
{
    private const int Tokens = 250;
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task The_node_of_the_trunk_is_emptied_and_stopped()
    {
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, TestCluster.SampleModel));
        var prompts = Enumerable.Range(0, 3).Select(i => Undisturbed.Prompt(70 + i, 30 + (40 * i))).ToArray();
        var expected = prompts.Select(p => Undisturbed.Tokens(p, Tokens)).ToArray();
        var streams = prompts.Select(p => new RunningStream(cluster.Generate(p, Tokens))).ToArray();
        foreach (var stream in streams) await stream.WaitForAsync(10);
        var before = await cluster.StatusAsync();
        var leaving = before.Nodes.Single(n => n.Stages.Any(s => s.Placement.Index == 0)).Name;

        var answer = await cluster.Connection.DrainAsync(new(leaving, Undo: false, DryRun: false), s_answer);
        Assert.Null(answer.Refusal);
        Assert.NotEmpty(answer.Moves);
        Assert.Empty(answer.Pauses);
        var after = await cluster.WaitUntilAsync(
            s => s.State == ClusterState.Ready && s.Nodes.Single(n => n.Name == leaving) is { IsLeaving: true, Stages.Length: 0, Shards.Length: 0 }, $"{leaving} is empty");
        output.WriteLine($"longest pauses until then {string.Join(", ", streams.Select(s => $"{s.LongestPause.TotalSeconds:0.00} s"))}, after {streams.Min(s => s.Count)} tokens and more");
        Assert.True(streams.Any(s => s.Count < Tokens), "all sessions had ended before the node was empty");
        Assert.DoesNotContain(after.Plan.Stages, s => after.Nodes.Single(n => n.Name == leaving).Node == s.Device.Node);

        cluster.Signal(leaving, ProcessSignal.Terminate);
        await cluster.WaitUntilAsync(s => s.Nodes.Length == 2, "two nodes");
        foreach (var (stream, tokens, i) in streams.Zip(expected).Select((s, i) => (s.First, s.Second, i)))
        {
            await stream.EndAsync();
            Undisturbed.Same(tokens, stream.Ids, $"session {i}");
        }
    }
}
