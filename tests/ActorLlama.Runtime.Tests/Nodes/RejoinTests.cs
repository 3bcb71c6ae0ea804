namespace ActorLlama.Runtime.Tests.Nodes;

public sealed class RejoinTests
{
    [Fact]
    public void A_removed_node_joins_through_those_of_its_plan_or_its_seeds_and_never_through_itself()
    {
        Assert.Equal(["b", "c", "s"], ActorLlamaNode.Through(["b", "c"], ["s", "c", "a"], "a").AsEnumerable());
        Assert.Equal(["s"], ActorLlamaNode.Through([], ["s"], "a").AsEnumerable());
        Assert.Empty(ActorLlamaNode.Through([], ["a"], "a"));
    }
}
