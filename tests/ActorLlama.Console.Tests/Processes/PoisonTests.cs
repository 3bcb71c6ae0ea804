using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Checkpoints.Testing;
using ActorLlama.Protocol;
using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

/// <summary>No node uses a weight that the plan does not give it: each gets a copy with NaN in every other slice.</summary>
public sealed class PoisonTests
{
    [SharedFact]
    public async Task Each_node_computes_with_its_own_slices_only()
    {
        var model = Shared.PathOf("fixtures", "tiny-scout");
        var golden = GoldenCase.Read(Shared.PathOf("fixtures", "tiny-scout", "expected.safetensors"));
        var options = new LocalClusterOptions(3, model) { Stages = 2, ExpertShards = 4 };
        var (plan, names, clean) = await RunAsync(options, golden);
        using var folder = new TemporaryFolder();
        var copies = ImmutableDictionary.CreateBuilder<int, string>();
        for (var i = 0; i < options.Nodes; i++)
        {
            var mine = names[$"node-{i + 1}"];
            copies[i] = folder.PathOf($"copy-{i}");
            CheckpointCopy.WithPoison(model, copies[i], (name, expert) => IsOf(plan, mine, name, expert));
        }

        var (_, _, poisoned) = await RunAsync(options with { ModelOfNode = copies.ToImmutable() }, golden);
        Assert.Empty(clean.Faults);
        Assert.Empty(poisoned.Faults);
        Assert.Equal(clean.LogitsSha256, poisoned.LogitsSha256);
    }

    private static async Task<(PlacementPlan Plan, Dictionary<string, NodeId> Names, VerificationReport Report)> RunAsync(
        LocalClusterOptions options, GoldenCase golden)
    {
        await using var attachment = await Attachment.ToOwnAsync(options, CancellationToken.None);
        var status = await attachment.Connection.GetStatusAsync(TimeSpan.FromSeconds(10));
        var report = await Verifier.RunAsync(attachment.Connection, golden, bfloat16: false, CancellationToken.None);
        return (status.Plan, status.Nodes.ToDictionary(n => n.Name, n => n.Node), report);
    }

    private static bool IsOf(PlacementPlan plan, NodeId node, string name, long? expert)
    {
        if (expert is { } e)
            return plan.Shards.Any(s => s.Device.Node == node && e >= s.FirstExpert && e < s.FirstExpert + s.Experts);
        var stages = plan.Stages.Where(s => s.Device.Node == node).ToArray();
        var parts = name.Split('.');
        if (parts[1] == "embed") return stages.Any(s => s.Index == 0);
        if (parts[1] is "final_norm" or "lm_head") return stages.Any(s => s.Index == plan.Stages.Max(o => o.Index));
        var layer = int.Parse(parts[2], CultureInfo.InvariantCulture);
        return stages.Any(s => layer >= s.FirstLayer && layer < s.FirstLayer + s.Layers);
    }
}
