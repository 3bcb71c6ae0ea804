using ActorLlama.Model;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class ConversionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 10)]
    public Property Hugging_face_to_unscanned_to_scanned_and_back_changes_no_bit() => Prop.ForAll(RandomModel.Any(), model =>
    {
        using var folder = new TemporaryFolder();
        model.Write(folder.PathOf("hf"));
        Convert(folder, "hf", "unscanned", LayoutNames.Unscanned);
        Convert(folder, "unscanned", "scanned", LayoutNames.Scanned);
        Convert(folder, "scanned", "unscanned2", LayoutNames.Unscanned);
        Convert(folder, "unscanned2", "hf2", LayoutNames.HuggingFace);
        foreach (var name in (string[])["unscanned", "scanned", "unscanned2", "hf2"]) RequireSame(folder.PathOf("hf"), folder.PathOf(name));
        AssertFilesEqual(IndependentSafetensors.ReadModel(folder.PathOf("hf")), IndependentSafetensors.ReadModel(folder.PathOf("hf2")));
    });

    [Property(MaxTest = 10)]
    public Property Shards_of_meta_in_any_number_change_no_bit() => Prop.ForAll(RandomModel.Any(), model =>
    {
        using var folder = new TemporaryFolder();
        model.Write(folder.PathOf("hf"));
        var from = "hf";
        foreach (var parts in (int[])[2, 1, 4, 8])
        {
            var to = $"meta{parts}";
            Convert(folder, from, to, LayoutNames.Meta, parts);
            Assert.Equal(parts, Directory.GetFiles(folder.PathOf(to), "*.pth").Length);
            RequireSame(folder.PathOf("hf"), folder.PathOf(to));
            from = to;
        }
        Convert(folder, "meta8", "hf2", LayoutNames.HuggingFace);
        AssertFilesEqual(IndependentSafetensors.ReadModel(folder.PathOf("hf")), IndependentSafetensors.ReadModel(folder.PathOf("hf2")));
    });

    [SharedTheory]
    [InlineData("tiny-scout")]
    [InlineData("tiny-maverick")]
    public void Meta_s_fixtures_become_hugging_face_s_files_byte_for_byte(string fixture)
    {
        foreach (var layout in LayoutNames.All)
        {
            CheckpointConverter.Run(Shared.PathOf("fixtures", $"{fixture}-meta"), _folder.PathOf(layout), new ConversionOptions { Layout = layout, MetaParts = 1 });
            RequireSame(Shared.PathOf("fixtures", fixture), _folder.PathOf(layout));
        }
        AssertFilesEqual(
            IndependentSafetensors.ReadModel(Shared.PathOf("fixtures", fixture)), IndependentSafetensors.ReadModel(_folder.PathOf(LayoutNames.HuggingFace)));
    }

    [SharedFact]
    public void A_conversion_of_meta_s_own_shards_is_the_shards_again()
    {
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("meta"), new ConversionOptions { Layout = LayoutNames.Meta, MetaParts = 2 });
        for (var rank = 0; rank < 2; rank++)
        {
            using var expected = PthFile.Open(Shared.PathOf("fixtures/tiny-scout-meta", MetaShards.NameOf(rank)));
            using var actual = PthFile.Open(_folder.PathOf("meta", MetaShards.NameOf(rank)));
            foreach (var key in actual.Keys) AssertEqual(expected.Find(key)!, actual.Find(key)!);
            Assert.DoesNotContain(
                expected.Keys.Except(actual.Keys), key => !key.Contains("_stats_") && !key.Contains("expert_activation") && key != "rope.freqs");
        }
    }

    [SharedFact]
    public void What_lies_beside_the_weights_is_carried_along()
    {
        var source = _folder.PathOf("source");
        CheckpointCopyOf("fixtures/tiny-scout", source);
        File.WriteAllText(Path.Combine(source, "tokenizer.model"), "not read here");
        File.WriteAllText(Path.Combine(source, "notes.txt"), "stays");
        CheckpointConverter.Run(source, _folder.PathOf("target"), new ConversionOptions { Layout = LayoutNames.Unscanned });
        Assert.Equal("not read here", File.ReadAllText(_folder.PathOf("target", "tokenizer.model")));
        Assert.False(File.Exists(_folder.PathOf("target", "notes.txt")));
        using var target = CheckpointDirectory.Open(_folder.PathOf("target"));
        Assert.Equal(new GenerationDefaults(0.6, 0.9, 0), target.GenerationDefaults);
        var manifest = Manifest.Read(target.Path)!;
        Assert.Equal(LayoutNames.Unscanned, manifest.Layout);
        Assert.Equal(
            Directory.GetFiles(target.Path).Select(Path.GetFileName).Where(name => name != Manifest.FileName).Order(StringComparer.Ordinal),
            manifest.Files.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, state) in manifest.Files)
        {
            var bytes = File.ReadAllBytes(Path.Combine(target.Path, name));
            Assert.Equal(state, new Manifest.FileState(bytes.Length, System.Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))));
        }
    }

    [SharedFact]
    public void Widened_weights_narrow_to_the_same_bits()
    {
        var source = Shared.PathOf("fixtures/tiny-scout");
        CheckpointConverter.Run(source, _folder.PathOf("wide"), new ConversionOptions { Layout = LayoutNames.HuggingFace, Type = ElementType.Float32 });
        using (var wide = CheckpointDirectory.Open(_folder.PathOf("wide")))
        {
            Assert.Equal(ElementType.Float32, wide.Get(ParameterNames.Embed).Type);
            Assert.Contains("float32", File.ReadAllText(Path.Combine(wide.Path, "config.json")));
        }
        CheckpointConverter.Run(_folder.PathOf("wide"), _folder.PathOf("narrow"), new ConversionOptions { Layout = LayoutNames.Meta, Type = ElementType.BFloat16 });
        RequireSame(source, _folder.PathOf("narrow"));
    }

    [SharedFact]
    public void A_conversion_cut_off_leaves_no_checkpoint_and_is_resumed()
    {
        var source = Shared.PathOf("fixtures/tiny-scout");
        using var cancellation = new CancellationTokenSource();
        var options = new ConversionOptions { Layout = LayoutNames.Unscanned, ShardBytes = 200_000, Threads = 1 };
        Assert.Throws<OperationCanceledException>(() => CheckpointConverter.Run(
            source, _folder.PathOf("target"), options with { Progress = p => { if (p.WrittenBytes > 1_000_000) cancellation.Cancel(); } }, cancellation.Token));
        Assert.False(Directory.Exists(_folder.PathOf("target")));
        var left = _folder.PathOf(".target.partial");
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(left));
        Assert.Contains("unfinished conversion", fault.Message);
        var finished = Directory.GetFiles(left, "*.safetensors").ToDictionary(path => Path.GetFileName(path), File.GetLastWriteTimeUtc);
        Assert.NotEmpty(finished);

        fault = Assert.Throws<InvalidDataException>(() => CheckpointConverter.Run(
            source, _folder.PathOf("target"), options with { Resume = true, ShardBytes = 300_000 }));
        Assert.Contains("other options", fault.Message);
        CheckpointConverter.Run(source, _folder.PathOf("target"), options with { Resume = true });
        foreach (var (name, time) in finished) Assert.Equal(time, File.GetLastWriteTimeUtc(_folder.PathOf("target", name)));
        RequireSame(source, _folder.PathOf("target"));
        Assert.False(Directory.Exists(left));
    }

    [SharedTheory]
    [InlineData(3, "query heads")]
    [InlineData(0, "--mp is 0")]
    public void Shards_that_the_model_does_not_divide_into_are_refused(int parts, string what)
    {
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointConverter.Plan(
            Shared.PathOf("fixtures/tiny-scout"), new ConversionOptions { Layout = LayoutNames.Meta, MetaParts = parts }));
        Assert.Contains(what, fault.Message);
    }

    [SharedFact]
    public void A_model_of_another_size_is_refused()
    {
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointConverter.Plan(Shared.PathOf("fixtures/tiny-scout"), new ConversionOptions
        {
            Layout = LayoutNames.Unscanned,
            Shape = ("tiny-maverick", File.ReadAllText(Shared.PathOf("fixtures/tiny-maverick/config.json"))),
        }));
        Assert.Contains("hidden size 128, \"tiny-maverick\" has 96", fault.Message);
    }

    [SharedFact]
    public void A_plan_names_the_files_that_a_run_writes()
    {
        var options = new ConversionOptions { Layout = LayoutNames.HuggingFace, ShardBytes = 1_000_000 };
        var plan = CheckpointConverter.Plan(Shared.PathOf("fixtures/tiny-scout-meta"), options);
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout-meta"), _folder.PathOf("target"), options);
        Assert.Equal(
            plan.Weights.Select(file => file.Name).Concat(plan.Others).Order(StringComparer.Ordinal),
            Directory.GetFiles(_folder.PathOf("target")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [SharedFact]
    public void A_scanned_tree_given_as_unscanned_is_refused()
    {
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("scanned"), new ConversionOptions { Layout = LayoutNames.Scanned });
        var manifest = _folder.PathOf("scanned", Manifest.FileName);
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"scanned\"", "\"unscanned\"", StringComparison.Ordinal));
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("scanned")));
        Assert.Contains("says that the layout is \"unscanned\", but the weights are in layout \"scanned\"", fault.Message);
    }

    [Fact]
    public void Experts_that_lie_one_by_one_are_joined()
    {
        var model = new RandomModel(2, 3, 2, true, 8, 2, 24, 7);
        model.Write(_folder.PathOf("fused"));
        Directory.CreateDirectory(_folder.PathOf("unfused"));
        File.Copy(_folder.PathOf("fused", "config.json"), _folder.PathOf("unfused", "config.json"));
        using (var fused = CheckpointDirectory.Open(_folder.PathOf("fused")))
        {
            var names = new HuggingFaceNames(true);
            new SafetensorsWriter(_folder.PathOf("unfused")).Write([.. fused.Tensors.SelectMany(tensor => Parts(tensor, names.KeyOf(tensor.Name)))]);
        }
        RequireSame(_folder.PathOf("fused"), _folder.PathOf("unfused"));
    }

    private static IEnumerable<TensorToWrite> Parts(BoundTensor tensor, string key)
    {
        if (!tensor.IsExperts) return [ToWrite(key, tensor.View)];
        var stem = key[..key.LastIndexOf('.')];
        return Enumerable.Range(0, (int)tensor.Slices).SelectMany(e =>
        {
            var expert = tensor.View.At(e);
            var half = expert.Shape[1] / 2;
            return key.EndsWith("gate_up_proj", StringComparison.Ordinal)
                ? [ToWrite($"{stem}.{e}.gate_proj.weight", expert.Slice(1, 0, half).Transposed()), ToWrite($"{stem}.{e}.up_proj.weight", expert.Slice(1, half, half).Transposed())]
                : new[] { ToWrite($"{stem}.{e}.down_proj.weight", expert.Transposed()) };
        });
    }

    private static TensorToWrite ToWrite(string key, TensorView view) => new(key, "BF16", view.Shape, new ViewReader(view).Read);

    private static void Convert(TemporaryFolder folder, string from, string to, string layout, int parts = 1) => CheckpointConverter.Run(
        folder.PathOf(from), folder.PathOf(to), new ConversionOptions { Layout = layout, MetaParts = parts, ShardBytes = 400_000, Threads = 2 });

    private static void RequireSame(string expected, string actual)
    {
        using var a = CheckpointDirectory.Open(expected);
        using var b = CheckpointDirectory.Open(actual);
        Assert.Equal(a.Tensors.Select(tensor => tensor.Name), b.Tensors.Select(tensor => tensor.Name));
        foreach (var (left, right) in a.Tensors.Zip(b.Tensors))
        {
            AssertEqual(left.View, right.View);
            var served = b.Get(right.Name);
            Assert.True(StoredBytes.Of(served).AsSpan().SequenceEqual(Bytes(left.View)), right.Name);
        }
    }

    private static void AssertEqual(TensorView expected, TensorView actual)
    {
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        Assert.True(Bytes(expected).AsSpan().SequenceEqual(Bytes(actual)), actual.Name);
    }

    private static byte[] Bytes(TensorView view)
    {
        var bytes = new byte[view.Bytes];
        new ViewReader(view).Read(0, bytes);
        return bytes;
    }

    private static void AssertFilesEqual(Dictionary<string, byte[]> expected, Dictionary<string, byte[]> actual)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (key, bytes) in expected) Assert.True(bytes.AsSpan().SequenceEqual(actual[key]), key);
    }

    private static void CheckpointCopyOf(string shared, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(Shared.PathOf(shared))) File.WriteAllBytes(Path.Combine(to, Path.GetFileName(file)), File.ReadAllBytes(file));
    }
}
