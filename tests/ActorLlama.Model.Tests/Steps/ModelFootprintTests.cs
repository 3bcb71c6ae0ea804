using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

public sealed class ModelFootprintTests
{
    [Fact]
    public void Stages_and_experts_add_up_to_the_model()
    {
        foreach (var name in ModelShapes.Names)
        {
            var config = ModelShapes.Read(name);
            var half = config.Layers / 2;
            var bytes = ModelFootprint.StageBytes(config, new(0, half), ElementType.BFloat16)
                + ModelFootprint.StageBytes(config, new(half, config.Layers - half), ElementType.BFloat16)
                + ModelFootprint.ExpertBytes(config, config.Experts, ElementType.BFloat16);
            Assert.Equal(2 * ParameterTable.Of(config).Total, bytes);
        }
    }

    [Fact]
    public void Scout_s_cache_takes_the_spec_s_bytes_per_token()
    {
        var scout = ModelShapes.Read("llama4-17b-16e");
        Assert.Equal(196_608, ModelFootprint.KvBytesPerToken(scout, LayerRange.All(scout), ActivationType.BFloat16));
        // Beyond a chunk only the 12 NoPE layers grow: 49,152 bytes a token.
        long At(int positions) => ModelFootprint.KvBytes(scout, LayerRange.All(scout), positions, 64, ActivationType.BFloat16);
        Assert.Equal(6400 * 49_152L, At(32000) - At(25600));
        Assert.Equal(6400 * 196_608L, At(6400));
    }

    [SharedTheory]
    [InlineData(GoldenModel.Scout)]
    [InlineData(GoldenModel.Maverick)]
    public void Loaded_bytes_equal_the_footprint(string model)
    {
        using var golden = GoldenModel.Open(model);
        var config = golden.Config;
        using var backend = Backends.Create(Backends.Torch, config);
        var read = 0L;
        using var stage = TrunkStage.Load(backend, config, new(2, 6), golden.Checkpoint, new WeightLoading(BytesRead: bytes => Interlocked.Add(ref read, bytes)));
        using var experts = ExpertGroup.Load(backend, config, 1, 3, golden.Checkpoint);
        Assert.Equal(ModelFootprint.StageBytes(config, new(2, 6), ElementType.BFloat16), stage.Bytes);
        Assert.Equal(ModelFootprint.ExpertBytes(config, 3, ElementType.BFloat16), experts.Bytes);
        Assert.Equal(stage.Bytes, read);
    }

    [Theory]
    [InlineData(0, 9, "[0,9)")]
    [InlineData(-1, 2, "[-1,1)")]
    [InlineData(3, 0, "[3,3)")]
    public void A_range_outside_the_model_is_refused(int first, int count, string part)
    {
        var config = ModelShapes.Read("bard");
        var fault = Assert.Throws<InvalidDataException>(() => ModelFootprint.StageBytes(config, new(first, count), ElementType.BFloat16));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        Assert.Contains("[0,8)", fault.Message, StringComparison.Ordinal);
    }
}
