namespace ActorLlama.Model.Tests.Weights;

/// <summary>What was loaded can be read back from the device.</summary>
public sealed class WeightContentsTests
{
    /// <summary>Widths that fill whole panels, and such that do not: then experts, too, are packed.</summary>
    [Theory]
    [InlineData(Backends.Cpu, ElementType.BFloat16, 96, 128)]
    [InlineData(Backends.Cpu, ElementType.Float32, 96, 128)]
    [InlineData(Backends.Cpu, ElementType.BFloat16, 50, 75)]
    [InlineData(Backends.Cpu, ElementType.Float32, 50, 75)]
    [InlineData(Backends.Torch, ElementType.BFloat16, 50, 75)]
    [InlineData(Backends.Torch, ElementType.Float32, 50, 75)]
    public void Every_tensor_is_read_back_bit_for_bit_in_any_pieces(string kind, ElementType type, int width, int expertHidden)
    {
        var config = CpuModel.Config with { HiddenSize = width, ExpertHidden = expertHidden, DenseHidden = 75, VocabSize = 101 };
        using var source = new RandomWeights(config, seed: 9, type);
        using var backend = Backends.Create(kind, config);
        using var stage = TrunkStage.Load(backend, config, LayerRange.All(config), source);
        using var experts = ExpertGroup.Load(backend, config, 1, 2, source);
        var parameters = ParameterTable.Of(config).Parameters;
        Assert.Equal(
            parameters.Where(parameter => parameter.Group != ParameterGroup.Experts).Select(parameter => parameter.Name).Order(),
            stage.Contents.Select(tensor => tensor.Name).Order());
        foreach (var (name, data) in stage.Contents) AssertEqual(source.Get(name), 0, data);
        Assert.Equal(
            parameters.Where(parameter => parameter.Group == ParameterGroup.Experts).Select(parameter => parameter.Name).Order(),
            experts.Contents.Select(tensor => tensor.Name).Order());
        foreach (var (name, data) in experts.Contents)
        {
            Assert.Equal(2, data.Shape[0]);
            AssertEqual(source.Get(name), data.Bytes / 2, data);
        }
    }

    private static void AssertEqual(StoredTensor expected, long offset, TensorData actual)
    {
        Assert.Equal(expected.Type, actual.Type);
        Assert.Equal(expected.Shape[1..].ToArray(), actual.Shape[1..].ToArray());
        var wanted = new byte[actual.Bytes];
        expected.Read(offset, wanted);
        // Sizes that end within rows, panels and experts.
        foreach (var piece in (int[])[wanted.Length, 7 * actual.ElementBytes, 1000 * actual.ElementBytes])
        {
            var found = new byte[wanted.Length];
            for (var at = 0; at < found.Length; at += piece) actual.Read(at, found.AsSpan(at, Math.Min(piece, found.Length - at)));
            Assert.True(wanted.AsSpan().SequenceEqual(found), $"{actual.Name} in pieces of {piece} bytes");
        }
    }
}
