namespace ActorLlama.Model.Tests;

public sealed class MoeFlagsTests
{
    private static readonly LlamaConfig Maverick = ModelShapes.Read("tiny-maverick");

    [Theory]
    [InlineData(false, true, MoeStrategy.Dense)]
    [InlineData(false, false, MoeStrategy.Dense)]
    [InlineData(true, true, MoeStrategy.Grouped)]
    [InlineData(true, false, MoeStrategy.Ragged)]
    public void Flags_choose_the_strategy(bool sparse, bool megablox, MoeStrategy strategy) => Assert.Equal(strategy, MoeFlags.Choose(Maverick, sparse, megablox, -1));

    [Fact]
    public void What_Llama_4_does_not_define_is_refused()
    {
        Refuses("capacity_factor=1.25", Maverick, 1.25);
        Refuses("num_experts_per_tok is 2", Maverick with { ExpertsPerToken = 2 }, -1);
        Refuses("7 layers are not divisible by interleave_moe_layer_step 2", Maverick with { Layers = 7 }, -1);
    }

    private static void Refuses(string told, LlamaConfig config, double capacityFactor) => Assert.Contains(
        told, Assert.Throws<InvalidDataException>(() => MoeFlags.Choose(config, sparseMatmul: false, megablox: true, capacityFactor)).Message, StringComparison.Ordinal);
}
