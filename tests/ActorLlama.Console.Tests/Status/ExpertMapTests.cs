using System.Collections.Immutable;
using ActorLlama.Protocol;
using Spectre.Console.Testing;

namespace ActorLlama.Cli.Tests;

public sealed class ExpertMapTests
{
    private static readonly NodeId s_node = new("akka.tcp://actorllama@127.0.0.1:4053", 1);

    /// <summary>Layers 1 and 3 of four have experts.</summary>
    private static ClusterProtocol.Status Status(int experts, params (ShardPlacement Placement, long[] Rows)[] shards)
    {
        var shape = new ModelShape(
            "tiny", 64, 512, 1024, experts, 1, 0, 0, 400, 4, [.. Enumerable.Range(0, 4).Select(i => new LayerShape(i % 2 == 1, 300, 2, null))]);
        var offer = new NodeProtocol.Offer(
            s_node, "node-1", [], [], default, new NodeProtocol.ModelIdentity(1, "", ""), shape, 1, [],
            [.. shards.Select(s => new NodeProtocol.HeldShard(1, s.Placement, null, 0, 0, null))], null!,
            [.. shards.Select(s => new NodeProtocol.ExpertRows(s.Placement.Shard, s.Placement.Replica, [.. s.Rows]))], []);
        return new ClusterProtocol.Status(ClusterState.Ready, "", PlacementPlan.Empty, [offer], s_node);
    }

    private static ShardPlacement Shard(int shard, int replica, int first, int experts) => new(shard, replica, first, experts, new DeviceId(s_node, "cpu:0"), 0, 1);

    private static ImmutableArray<string> Shown(ExpertMap map, int columns)
    {
        using var console = new TestConsole();
        console.Profile.Width = columns;
        map.Write(console, columns);
        return [.. console.Lines];
    }

    [Fact]
    public void Shards_and_replicas_add_up_to_one_map()
    {
        var map = ExpertMap.Of(Status(3, (Shard(0, 0, 0, 1), [5, 1]), (Shard(1, 0, 1, 2), [0, 10, 2, 90]), (Shard(0, 1, 0, 1), [5, 0])))!;
        Assert.Equal([1, 3], map.Layers.AsEnumerable());
        Assert.Equal([10, 0, 10, 1, 2, 90], map.Tokens);
        Assert.Equal(
            ["Tokens by layer and expert since the shards were loaded: 113", "layer experts 0-2", "    1 |. .|", "    3 |..@|", "\" .:-=+*#%@\": from none to 90 tokens"],
            Shown(map, 80).AsEnumerable());
    }

    [Theory]
    [InlineData(80, 128, 2)]
    [InlineData(24, 128, 8)]
    [InlineData(200, 128, 1)]
    public void A_map_wider_than_the_terminal_puts_neighbours_in_one_cell(int columns, int experts, int perCell)
    {
        var map = ExpertMap.Of(Status(experts, (Shard(0, 0, 0, experts), [.. Enumerable.Range(0, 2 * experts).Select(i => (long)i)])))!;
        var lines = Shown(map, columns);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, columns));
        Assert.Equal(perCell > 1, lines.Contains($"{perCell} experts in a cell"));
        Assert.Equal((experts + perCell - 1) / perCell, lines[2].Split('|')[1].Length);
    }

    [Fact]
    public void A_model_without_experts_has_no_map_and_one_that_did_nothing_an_empty_one()
    {
        Assert.Null(ExpertMap.Of(new ClusterProtocol.Status(ClusterState.Forming, "", PlacementPlan.Empty, [], s_node)));
        Assert.Contains("    1 |  |", Shown(ExpertMap.Of(Status(2, (Shard(0, 0, 0, 2), [0, 0, 0, 0])))!, 80));
    }

    [Theory]
    [InlineData(0, 100, 0)]
    [InlineData(1, 100, 1)]
    [InlineData(50, 100, 5)]
    [InlineData(100, 100, 9)]
    public void Heat_goes_in_even_steps_from_none_to_most(long tokens, long most, int heat) => Assert.Equal(heat, ExpertMap.Heat(tokens, most));
}
