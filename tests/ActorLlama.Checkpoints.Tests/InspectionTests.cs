using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class InspectionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact]
    public void A_comparison_finds_the_one_value_that_differs()
    {
        var source = Shared.PathOf("fixtures/tiny-scout");
        CheckpointConverter.Run(source, _folder.PathOf("copy"), new ConversionOptions { Layout = LayoutNames.Unscanned });
        Assert.All(CheckpointComparison.Of(source, _folder.PathOf("copy")), tensor => Assert.True(tensor.IsEqual, tensor.Name));

        const string name = "text.layers.2.attn.k.weight";
        string file;
        long offset;
        using (var copy = CheckpointDirectory.Open(_folder.PathOf("copy")))
        {
            var block = copy.Tensors.Single(tensor => tensor.Name == name).View.Blocks.Single();
            (file, offset) = (block.File.Path, block.Offset + 2 * 17);
        }
        using (var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write)) RandomAccess.Write(handle, [0x80, 0x40], offset);
        var different = Assert.Single(CheckpointComparison.Of(source, _folder.PathOf("copy")), tensor => !tensor.IsEqual);
        Assert.Equal((name, 1L), (different.Name, different.Different));
        Assert.InRange(different.Largest, 3.5, 4.5);

        var changed = Assert.Single(CheckpointChecksum.Of(_folder.PathOf("copy")), result => result.Verdict != FileVerdict.Same);
        Assert.Equal((Path.GetFileName(file), FileVerdict.Changed), (changed.Name, changed.Verdict));
    }

    [SharedFact]
    public void Tensors_of_another_model_are_named()
    {
        var results = CheckpointComparison.Of(Shared.PathOf("fixtures/tiny-scout"), Shared.PathOf("fixtures/tiny-maverick")).ToList();
        Assert.Contains(results, result => result.Name == ParameterNames.Router(0) && result.Fault!.StartsWith("missing from", StringComparison.Ordinal));
        Assert.Contains(results, result => result.Name == ParameterNames.DenseUp(0) && result.Fault!.StartsWith("missing from", StringComparison.Ordinal));
        Assert.Contains(results, result => result.Name == ParameterNames.Embed && result.Fault == "shapes [512,128] and [512,96]");
    }

    [SharedFact]
    public void A_lost_file_is_missing_and_a_new_one_unlisted()
    {
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("copy"), new ConversionOptions { Layout = LayoutNames.Unscanned });
        Assert.True(CheckpointChecksum.SizesAgree(_folder.PathOf("copy")));
        File.Delete(_folder.PathOf("copy", "generation_config.json"));
        File.WriteAllText(_folder.PathOf("copy", "new.txt"), "x");
        Assert.False(CheckpointChecksum.SizesAgree(_folder.PathOf("copy")));
        Assert.Equal(
            [("generation_config.json", FileVerdict.Missing), ("new.txt", FileVerdict.Unlisted)],
            CheckpointChecksum.Of(_folder.PathOf("copy")).Where(result => result.Verdict != FileVerdict.Same).Select(result => (result.Name, result.Verdict)));
        Assert.Null(CheckpointChecksum.SizesAgree(Shared.PathOf("fixtures/tiny-scout")));
    }

    [SharedTheory]
    [InlineData("fixtures/tiny-scout", "text.embed.weight")]
    [InlineData("fixtures/tiny-scout-meta", "vision.blocks.2.mlp.fc2.bias")]
    [InlineData("fixtures/tiny-scout-meta/consolidated.00.pth", "layers.0.feed_forward.router_DE")]
    [InlineData("fixtures/tiny-scout/model-00001-of-00003.safetensors", null)]
    public void Statistics_are_those_of_the_values(string path, string? name)
    {
        using var inspection = WeightInspection.Open(Shared.PathOf(path));
        name ??= inspection.Tensors[0].Name;
        var stats = inspection.Statistics(name);
        Assert.NotNull(stats);
        Assert.True(stats.Min < stats.Mean && stats.Mean < stats.Max && stats.NaN == 0, stats.ToString());
        if (inspection.Checkpoint is not { } checkpoint) return;
        Assert.Equal(ParameterTable.Of(checkpoint.Config).Total, inspection.Tensors.Where(tensor => tensor.Group != "vision").Sum(tensor => tensor.Elements));
    }

    [Fact]
    public void Values_that_are_no_numbers_are_counted()
    {
        float[] values = [float.NaN, -2, 6, float.NaN];
        new SafetensorsWriter(_folder.Path).Write([new TensorToWrite("a", "F32", [4], (offset, bytes) =>
            System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).Slice((int)offset, bytes.Length).CopyTo(bytes))]);
        using var inspection = WeightInspection.Open(_folder.PathOf("model.safetensors"));
        Assert.Equal(new TensorStatistics(-2, 6, 2, 2), inspection.Statistics("a"));
    }
}
