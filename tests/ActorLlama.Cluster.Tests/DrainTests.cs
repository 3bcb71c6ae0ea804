using System.Collections.Immutable;
using ActorLlama.Cli;
using Xunit.Abstractions;

namespace ActorLlama.Cluster.Tests;

/// <summary>All nodes are emptied, one after the other, start again and get their share again while sessions stream: none fails, and their tokens are those of a run that nothing disturbed.</summary>
public sealed class DrainTests(ITestOutputHelper output)
{
    private const int Tokens = 250;
    private static readonly TimeSpan s_within = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task All_nodes_start_again_while_sessions_stream()
    {
        await using var cluster = await TestCluster.StartAsync(new LocalClusterOptions(3, TestCluster.SampleModel));
        var prompts = Enumerable.Range(0, 3).Select(i => Undisturbed.Prompt(70 + i, 30 + (40 * i))).ToArray();
        var expected = prompts.Select(p => Undisturbed.Tokens(p, Tokens)).ToArray();
        var before = await cluster.StatusAsync();
        using var rolled = new CancellationTokenSource();
        var pauses = prompts.Select((p, i) => StreamAsync(cluster, p, expected[i], $"session {i}", rolled.Token)).ToArray();

        var told = new List<string>();
        var roll = new RollingRestart(cluster.Connection, s_within, told.Add);
        var order = await roll.CheckAsync(CancellationToken.None);
        Assert.Contains(order, o => o.Moves.Contains("layers", StringComparison.Ordinal));
        await roll.RunAsync([.. order.Select(o => o.Node.Node)], CancellationToken.None);
        // The last to come back holds nothing: it is as one that joins.
        var bare = (await cluster.StatusAsync()).Nodes.First(n => n.Stages.Length + n.Shards.Length == 0).Name;
        Assert.NotEmpty((await NodeAdd.RunAsync(cluster.Connection, bare, s_within, told.Add, CancellationToken.None)).Moves);
        Assert.EndsWith("and serves", NodeAdd.Holds(await cluster.StatusAsync(), bare), StringComparison.Ordinal);
        await rolled.CancelAsync();

        var after = await cluster.StatusAsync();
        Assert.Equal(before.Nodes.Select(n => n.Name), after.Nodes.Select(n => n.Name));
        Assert.Empty(before.Nodes.Select(n => n.Node).Intersect(after.Nodes.Select(n => n.Node)));
        Assert.All(after.Nodes, n => Assert.False(n.IsLeaving));
        Assert.All(cluster.Processes, p => Assert.False(p.HasExited));
        Assert.Equal(before.Nodes.Length, told.Count(t => t.Contains("is back after", StringComparison.Ordinal)));
        foreach (var line in told) output.WriteLine(line);
        output.WriteLine($"longest pauses {string.Join(", ", (await Task.WhenAll(pauses)).Select(p => $"{p.TotalSeconds:0.00} s"))}");
    }

    /// <summary>The same session again and again, until told to end with the one that runs; its longest pause.</summary>
    private static async Task<TimeSpan> StreamAsync(TestCluster cluster, ImmutableArray<int> prompt, ImmutableArray<int> expected, string who, CancellationToken until)
    {
        var longest = TimeSpan.Zero;
        while (!until.IsCancellationRequested)
        {
            var stream = new RunningStream(cluster.Generate(prompt, Tokens));
            await stream.EndAsync();
            Undisturbed.Same(expected, stream.Ids, who);
            longest = stream.LongestPause > longest ? stream.LongestPause : longest;
        }

        return longest;
    }
}
