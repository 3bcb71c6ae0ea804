using ActorLlama.Planning.Routing;
using FsCheck;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Routing;

public sealed class TokenGroupingTests
{
    [Theory]
    [InlineData(16, 4, new[] { 0, 4, 8, 12 })]
    [InlineData(8, 3, new[] { 0, 2, 5 })]
    [InlineData(5, 5, new[] { 0, 1, 2, 3, 4 })]
    [InlineData(7, 1, new[] { 0 })]
    public void Shards_start_where_the_design_says(int experts, int shards, int[] first)
    {
        var split = new ExpertShards(experts, shards);
        Assert.Equal(first, Enumerable.Range(0, shards).Select(split.First));
    }

    [Property]
    public void Every_expert_is_in_the_range_of_its_shard_and_no_shard_is_empty(PositiveInt experts, PositiveInt shards)
    {
        var split = new ExpertShards(experts.Get, Math.Min(experts.Get, shards.Get));
        for (var expert = 0; expert < split.Experts; expert++)
            Assert.InRange(expert, split.First(split.ShardOf(expert)), split.First(split.ShardOf(expert) + 1) - 1);
        Assert.All(Enumerable.Range(0, split.Shards), s => Assert.InRange(split.Count(s), 1, split.Experts));
        Assert.Equal(split.Experts, Enumerable.Range(0, split.Shards).Sum(split.Count));
    }

    [Theory]
    [InlineData(0, 1, "0 experts")]
    [InlineData(4, 0, "0 shards of 4 experts")]
    [InlineData(4, 5, "5 shards of 4 experts")]
    public void Impossible_splits_name_the_numbers(int experts, int shards, string named) =>
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => new ExpertShards(experts, shards)).Message, StringComparison.Ordinal);

    [Fact]
    public void Rows_go_to_the_shard_of_their_expert_in_ascending_order()
    {
        var groups = TokenGrouping.Group([3, 0, 2, 3, 1, 0], new(4, 2));
        Assert.Equal([0, 1], groups.Select(g => g.Shard));
        Sequences.Equal([1, 4, 5], groups[0].Rows);
        Sequences.Equal([0, 1, 0], groups[0].Experts);
        Sequences.Equal([0, 2, 3], groups[1].Rows);
        Sequences.Equal([3, 2, 3], groups[1].Experts);
        Assert.Equal([1], TokenGrouping.Group([2], new(4, 2)).Select(g => g.Shard));
        Assert.Empty(TokenGrouping.Group([], new(4, 2)));
    }

    [Fact]
    public void An_expert_that_does_not_exist_is_a_broken_invariant() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => TokenGrouping.Group([0, 4], new(4, 2)));

    [Property]
    public void Every_row_is_in_exactly_one_group_with_its_own_expert(NonNegativeInt[] rows, PositiveInt shards)
    {
        int[] experts = [.. rows.Select(r => r.Get % 11)];
        var split = new ExpertShards(11, Math.Min(11, shards.Get));
        var groups = TokenGrouping.Group(experts, split);
        var placed = new int[experts.Length];
        Array.Fill(placed, -1);
        foreach (var group in groups)
        {
            Assert.NotEmpty(group.Rows);
            Assert.Equal(group.Rows.Order(), group.Rows);
            for (var i = 0; i < group.Rows.Length; i++)
            {
                Assert.Equal(-1, placed[group.Rows[i]]);
                Assert.Equal(group.Shard, split.ShardOf(group.Experts[i]));
                placed[group.Rows[i]] = group.Experts[i];
            }
        }

        Assert.Equal(experts, placed);
    }
}
