using ActorLlama.Model;
using ActorLlama.TestKit;
using ActorLlama.Training.Reports;

namespace ActorLlama.Training.Tests.Reports;

public sealed class StepFlopsTests
{
    /// <summary>
    /// By hand, with b = 2, S = 40, D = 64, two dense of four layers, Fd = 96, F = 32, E = 4, Hq = 4, Hk = 2, h = 16, V = 100, C = 16, NoPE at 3:
    /// dense 2·6·2·40·64·96 = 5898240; moe 2·(2·2·40·64·4 + 6·2·40·64·32·2) = 4014080; qkv 4·2·2·40·64·8·16 = 5242880; proj 4·2·2·40·64·4·16 = 2621440;
    /// emb 2·2·40·64·100 = 1024000. Learnable 3 · 18800640 = 56401920.
    /// chunk 4·2·(2·256 + 64)·4·16 = 294912; full 4·2·1600·4·16 = 819200; attention 3·(819200 + 3·294912)/2 = 2555904.
    /// </summary>
    [Fact]
    public void A_model_counted_by_hand_with_both_kinds_of_layers_and_a_broken_chunk()
    {
        var flops = StepFlops.Of(Small, 2, 40, 1);
        Assert.Equal(56401920e-12, flops.Learnable, 1e-18);
        Assert.Equal(2555904e-12, flops.Attention, 1e-18);
        Assert.Equal(58957824e-12, flops.Total, 1e-18);
        Assert.Equal(4 * flops.Total, StepFlops.Of(Small, 2, 40, 4).Total, 1e-18);
        Assert.Equal(flops.Learnable / 4, StepFlops.Of(Small, 0.5, 40, 1).Learnable, 1e-18);
    }

    /// <summary>
    /// Maverick by hand, b = 1, S = 1024 (below the chunk: 48 equal layers): bSD = 5242880; dense 24·6·bSD·16384 = 12369505812480;
    /// moe 24·(2·bSD·128 + 6·bSD·8192·2) = 12401718067200; qkv 48·2·bSD·56·128 = 3607772528640; proj 48·2·bSD·40·128 = 2576980377600;
    /// emb 2·bSD·202048 = 2118626836480. Learnable 99.2238; attention 3·48·4·1024²·40·128/2 = 1.5462.
    /// </summary>
    [Fact]
    public void Maverick_counted_by_hand()
    {
        var flops = StepFlops.Of(Shipped("llama4-17b-128e"), 1, 1024, 1);
        Assert.Equal(3 * (12369505812480d + 12401718067200 + 3607772528640 + 2576980377600 + 2118626836480) / 1e12, flops.Learnable, 1e-9);
        Assert.Equal(99.2238, flops.Learnable, 1e-4);
        Assert.Equal(1.5462, flops.Attention, 1e-4);
    }

    private static LlamaConfig Small => Shipped("tiny-maverick") with
    {
        Layers = 4,
        HiddenSize = 64,
        QueryHeads = 4,
        KvHeads = 2,
        HeadDim = 16,
        DenseHidden = 96,
        ExpertHidden = 32,
        Experts = 4,
        ExpertsPerToken = 1,
        VocabSize = 100,
        AttentionChunk = 16,
        IsMoe = [false, true, false, true],
        UsesRope = [true, true, true, false],
    };

    private static LlamaConfig Shipped(string name)
    {
        var file = Path.Combine(Shared.RepositoryRoot, "config", "models", $"{name}.json");
        return LlamaConfigReader.Read(File.ReadAllText(file), file).Config;
    }
}
