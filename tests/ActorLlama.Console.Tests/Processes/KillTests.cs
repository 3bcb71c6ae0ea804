using System.Diagnostics;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli.Tests;

/// <summary>
/// SIGKILL of a node while a session decodes: it goes on with exactly the undisturbed tokens or ends with one typed error, in either case
/// within 15 seconds; no token is wrong, missing or repeated.
/// </summary>
public sealed class KillTests
{
    private const int Tokens = 300;
    private const int KillAfter = 40;
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(15);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Killing_a_node_loses_repeats_and_changes_no_token(int node)
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions(3, ProgramRun.SampleModel), CancellationToken.None);
        await using var connection = await cluster.ConnectAsync(CancellationToken.None);
        await cluster.WaitUntilReadyAsync(connection, null, CancellationToken.None);
        var undisturbed = (await connection.OpenSession(Request()).ReadToEndAsync()).Tokens;
        await DisturbAsync(connection, undisturbed, cluster.Nodes[node].Pid);
    }

    [Fact]
    public async Task Killing_a_node_that_holds_nothing_changes_nothing()
    {
        var options = new LocalClusterOptions(3, ProgramRun.SampleModel) { Stages = 1, ExpertShards = 1 };
        await using var cluster = await LocalCluster.StartAsync(options, CancellationToken.None);
        await using var connection = await cluster.ConnectAsync(CancellationToken.None);
        await cluster.WaitUntilReadyAsync(connection, null, CancellationToken.None);
        var status = await connection.GetStatusAsync(s_bound);
        var holders = status.Plan.Stages.Select(s => s.Device.Node.Address).Concat(status.Plan.Shards.Select(s => s.Device.Node.Address)).ToHashSet();
        var idle = cluster.Nodes.Last(n => !holders.Contains(n.Address));
        var undisturbed = (await connection.OpenSession(Request()).ReadToEndAsync()).Tokens;
        Assert.Null(await DisturbAsync(connection, undisturbed, idle.Pid));
    }

    private static GenerationRequest Request() => new(GenerationRequest.Text("ROMEO:"), Tokens)
    {
        Sampling = new SamplingOptions(0.8, 0.95, 0, 11),
        IgnoreEos = true,
    };

    /// <summary>The failure that ended the session, or null when it went on.</summary>
    private static async Task<GenerationFailedException?> DisturbAsync(ClusterConnection connection, IReadOnlyList<int> undisturbed, int pid)
    {
        Assert.Equal(Tokens, undisturbed.Count);
        var clock = new Stopwatch();
        var ids = new List<int>();
        GenerationFailedException? failure = null;
        try
        {
            await foreach (var token in connection.OpenSession(Request()))
            {
                Assert.Equal(ids.Count, token.Index);
                ids.Add(token.Id);
                if (ids.Count != KillAfter) continue;
                ProgramRun.SignalTo(pid, ProgramRun.SigKill);
                clock.Start();
            }
        }
        catch (GenerationFailedException e)
        {
            failure = e;
        }

        Assert.True(clock.Elapsed < s_bound, $"after the kill: {clock.Elapsed.TotalSeconds:0.0} s, {failure?.Message}");
        Assert.Equal(undisturbed.Take(ids.Count), ids);
        if (failure is null) Assert.Equal(Tokens, ids.Count);
        return failure;
    }
}
