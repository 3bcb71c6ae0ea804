using ActorLlama.Model;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class PanelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 4)]
    public Property Packing_and_unpacking_changes_no_bit() => Prop.ForAll(RandomModel.Any(), model =>
    {
        using var folder = new TemporaryFolder();
        model.Write(folder.PathOf("hf"));
        Pack(folder.PathOf("hf"), folder.PathOf("packed"));
        SameCheckpoint.Assert(folder.PathOf("hf"), folder.PathOf("packed"));
        Convert(folder.PathOf("packed"), folder.PathOf("scanned"), LayoutNames.Scanned);
        Pack(folder.PathOf("scanned"), folder.PathOf("again"));
        Convert(folder.PathOf("again"), folder.PathOf("hf2"), LayoutNames.HuggingFace);
        SameCheckpoint.Assert(folder.PathOf("hf"), folder.PathOf("hf2"));
        foreach (var file in Directory.GetFiles(folder.PathOf("packed"), "*.safetensors"))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(folder.PathOf("again", Path.GetFileName(file))));
    });

    [SharedFact]
    public void Widened_panels_narrow_to_the_same_bits()
    {
        var source = Shared.PathOf("fixtures/tiny-maverick");
        Pack(source, _folder.PathOf("wide"), ElementType.Float32);
        using (var wide = CheckpointDirectory.Open(_folder.PathOf("wide")))
        {
            Assert.True(wide.HasPanels);
            Assert.Equal(ElementType.Float32, wide.Get(ParameterNames.LmHead).Type);
        }
        Pack(_folder.PathOf("wide"), _folder.PathOf("narrow"), ElementType.BFloat16);
        SameCheckpoint.Assert(source, _folder.PathOf("narrow"));
    }

    /// <summary>Widths that fill whole panels: then experts, too, are read where they lie, and of all weights only the norms' gains are copies.</summary>
    [SharedTheory]
    [InlineData("fixtures/tiny-scout", null)]
    [InlineData("fixtures/tiny-scout", ElementType.Float32)]
    [InlineData("data/bard", null)]
    public void Packed_weights_give_the_same_logits_and_are_not_copied(string directory, ElementType? type)
    {
        Pack(Shared.PathOf(directory), _folder.PathOf("packed"), type);
        using var checkpoint = CheckpointDirectory.Open(_folder.PathOf("packed"));
        using var source = CheckpointDirectory.Open(Shared.PathOf(directory));
        var (expected, unpacked) = Logits(source, new CpuBackend(0, 2, ActivationType.Float32, source.Config));
        var (logits, packed) = Logits(checkpoint, new CpuBackend(0, 2, ActivationType.Float32, source.Config));
        Assert.Equal(expected, logits);
        var parameters = ParameterTable.Of(source.Config).Parameters;
        Assert.Equal(4 * parameters.Where(parameter => parameter.Group == ParameterGroup.Norm).Sum(parameter => parameter.Elements), packed);
        Assert.True(unpacked > packed + 2 * parameters.Where(PanelStorage.Holds).Sum(parameter => parameter.Elements) - 1);
    }

    [SharedFact]
    public void Other_devices_read_packed_weights_too()
    {
        Pack(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("packed"));
        using var checkpoint = CheckpointDirectory.Open(_folder.PathOf("packed"));
        using var source = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        Assert.Equal(
            Logits(source, new TorchBackend(source.Config, "cpu", ActivationType.Float32)).Logits,
            Logits(checkpoint, new TorchBackend(source.Config, "cpu", ActivationType.Float32)).Logits);
    }

    [Fact]
    public void NaN_in_a_panel_is_named_by_its_element()
    {
        var model = new RandomModel(1, 1, 1, false, 8, 2, 24, 7);
        model.Write(_folder.PathOf("hf"));
        var matrix = new byte[64 * 64 * 2];
        // Row 37, column 5 of q.
        (matrix[(37 * 64 + 5) * 2], matrix[(37 * 64 + 5) * 2 + 1]) = (0xC0, 0x7F);
        Directory.CreateDirectory(_folder.PathOf("nan"));
        File.Copy(_folder.PathOf("hf", "config.json"), _folder.PathOf("nan", "config.json"));
        using (var hf = CheckpointDirectory.Open(_folder.PathOf("hf")))
            new SafetensorsWriter(_folder.PathOf("nan")).Write(
                [.. hf.Tensors.Select(tensor => new TensorToWrite(tensor.Name, "BF16", tensor.View.Shape, (offset, bytes) =>
                {
                    if (tensor.Name == ParameterNames.AttnQ(0)) matrix.AsSpan((int)offset, bytes.Length).CopyTo(bytes);
                    else bytes.Clear();
                }))]);
        Pack(_folder.PathOf("nan"), _folder.PathOf("packed"));
        using var packed = CheckpointDirectory.Open(_folder.PathOf("packed"));
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, packed.Config);
        var fault = Assert.Throws<InvalidDataException>(() => backend.LoadLinear(packed.Get(ParameterNames.AttnQ(0)), new WeightLoading()));
        Assert.Contains($"holds NaN at element {37 * 64 + 5}.", fault.Message);
    }

    [Fact]
    public void What_looks_at_checkpoints_reads_panels()
    {
        new RandomModel(2, 3, 2, true, 8, 2, 24, 7).Write(_folder.PathOf("hf"));
        Pack(_folder.PathOf("hf"), _folder.PathOf("packed"));
        Assert.All(CheckpointComparison.Of(_folder.PathOf("hf"), _folder.PathOf("packed")), tensor => Assert.True(tensor.IsEqual, tensor.Name));
        Assert.All(CheckpointChecksum.Of(_folder.PathOf("packed")), file => Assert.Equal(FileVerdict.Same, file.Verdict));
        using var inspection = WeightInspection.Open(_folder.PathOf("packed"));
        using var source = WeightInspection.Open(_folder.PathOf("hf"));
        Assert.Equal(source.Tensors.Select(tensor => (tensor.Name, tensor.Elements)), inspection.Tensors.Select(tensor => (tensor.Name, tensor.Elements)));
        Assert.Equal($"{ParameterNames.LmHead}.panels", inspection.Tensors.Single(tensor => tensor.Name == ParameterNames.LmHead).Key);
        Assert.Equal(source.Statistics(ParameterNames.AttnO(1)), inspection.Statistics(ParameterNames.AttnO(1)));
    }

    [Theory]
    [InlineData("\"cpu 1\"", "\"cpu 2\"", "panels of kernels \"cpu 2\", by \"checkpoint.json\"; this program reads \"cpu 1\"")]
    [InlineData("\"panels\"", "\"notes\"", "panels of kernels \"unknown\"")]
    public void Panels_of_other_kernels_are_refused(string recorded, string instead, string part)
    {
        new RandomModel(1, 1, 1, false, 8, 2, 24, 7).Write(_folder.PathOf("hf"));
        Pack(_folder.PathOf("hf"), _folder.PathOf("packed"));
        var manifest = _folder.PathOf("packed", Manifest.FileName);
        var text = File.ReadAllText(manifest);
        Assert.Contains(recorded, text);
        File.WriteAllText(manifest, text.Replace(recorded, instead, StringComparison.Ordinal));
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("packed"))).Message);
    }

    [Fact]
    public void Panels_of_another_config_are_refused()
    {
        new RandomModel(1, 1, 1, false, 8, 2, 24, 7).Write(_folder.PathOf("hf"));
        Pack(_folder.PathOf("hf"), _folder.PathOf("packed"));
        var config = _folder.PathOf("packed", "config.json");
        var text = File.ReadAllText(config);
        Assert.Contains("\"num_key_value_heads\":2", text);
        File.WriteAllText(config, text.Replace("\"num_key_value_heads\":2", "\"num_key_value_heads\":8", StringComparison.Ordinal));
        Assert.Contains(
            "attn.k.weight.panels\" in", Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("packed"))).Message);
    }

    [Fact]
    public void Only_the_unscanned_layout_has_panels()
    {
        new RandomModel(1, 1, 1, false, 8, 2, 24, 7).Write(_folder.PathOf("hf"));
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointConverter.Plan(
            _folder.PathOf("hf"), new ConversionOptions { Layout = LayoutNames.Scanned, Panels = true }));
        Assert.Contains("--pack is for layout \"unscanned\", not \"scanned\"", fault.Message);
    }

    private static (float[] Logits, long CopiedBytes) Logits(Checkpoint checkpoint, IBackend backend)
    {
        using (backend)
        {
            using var decoder = LlamaDecoder.Load(backend, checkpoint.Config, checkpoint);
            using var cache = decoder.NewCache();
            int[] ids = [1, 2, 3, 5, 8, 13, 21];
            using var logits = decoder.Forward(new RowBatch([new(cache, 0, ids.Length)]), ids, [.. Enumerable.Range(0, ids.Length)]);
            var values = new float[logits.Rows * logits.Width];
            for (var row = 0; row < logits.Rows; row++) backend.CopyRow(logits, row, values.AsSpan(row * logits.Width, logits.Width));
            return (values, decoder.CopiedBytes);
        }
    }

    private static void Pack(string from, string to, ElementType? type = null) => CheckpointConverter.Run(
        from, to, new ConversionOptions { Layout = LayoutNames.Unscanned, Panels = true, Type = type, ShardBytes = 1_000_000, Threads = 2 });

    private static void Convert(string from, string to, string layout) => CheckpointConverter.Run(from, to, new ConversionOptions { Layout = layout, Threads = 2 });
}
