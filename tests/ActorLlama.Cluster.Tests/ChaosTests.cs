using ActorLlama.Cli;

namespace ActorLlama.Cluster.Tests;

/// <summary>What <c>actorllama chaos</c> does, once and small; all of it, with its bounds, is scripts/chaos.sh.</summary>
public sealed class ChaosTests
{
    [Fact]
    public async Task A_killed_expert_shard_without_a_replica_breaks_no_invariant_and_its_end_is_in_the_clusters_history()
    {
        var scenario = ChaosScenarios.All["kill-each-role"][1] with { Sessions = 4, Tokens = 150 };
        await using var run = await ChaosRun.StartAsync(scenario, TestCluster.SampleModel, null, CancellationToken.None);
        var outcome = await run.RunAsync(scenario.Faults[0] with { BoundMs = 15_000 }, 1, CancellationToken.None);
        Assert.Empty(outcome.Faults);
        Assert.Contains("expert shard", outcome.Held, StringComparison.Ordinal);
        Assert.Contains((outcome.Victim, "Lost: its process is gone: its ports refused connections"), outcome.Timeline.Select(t => (t.Node, t.What)));
        Assert.Contains(outcome.Timeline, t => t is { Node: "cluster", What: "State: Ready: all 3 parts of the model are loaded" });
    }
}
