using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed unsafe class MetaCheckpointTests
{
    [SharedTheory]
    [InlineData("tiny-scout")]
    [InlineData("tiny-maverick")]
    public void Merged_shards_equal_hugging_face_s_tensors_bit_for_bit(string fixture)
    {
        using var meta = CheckpointDirectory.Open(Shared.PathOf("fixtures", $"{fixture}-meta"));
        using var other = CheckpointDirectory.Open(Shared.PathOf("fixtures", fixture));
        Assert.Equal(LayoutNames.Meta, meta.Layout);
        Assert.Equal(LayoutNames.HuggingFace, other.Layout);
        Assert.Equal(other.Tensors.Select(tensor => tensor.Name), meta.Tensors.Select(tensor => tensor.Name));
        Assert.True(meta.HasVision);
        foreach (var tensor in other.Tensors)
        {
            var (a, b) = (meta.Get(tensor.Name), other.Get(tensor.Name));
            Assert.Equal(b.Shape.ToArray(), a.Shape.ToArray());
            Assert.True(StoredBytes.Of(a).SequenceEqual(StoredBytes.Of(b)), tensor.Name);
        }
    }

    [SharedTheory]
    [InlineData("tiny-scout")]
    [InlineData("tiny-maverick")]
    public void Experts_are_put_together_alone(string fixture)
    {
        using var meta = CheckpointDirectory.Open(Shared.PathOf("fixtures", $"{fixture}-meta"));
        using var other = CheckpointDirectory.Open(Shared.PathOf("fixtures", fixture));
        var name = ParameterNames.ExpertsGateUp(3);
        var (tensor, whole) = (meta.Get(name), other.Get(name));
        var (rows, width) = ((int)tensor.Shape[1], (int)tensor.Shape[2]);
        using var some = tensor.Hold(1, 2, width / 2, width / 2);
        Assert.Equal(2L * rows * (width / 2) * 2, some.CopiedBytes);
        for (var expert = 0; expert < meta.Config.Experts; expert++)
        {
            // The experts of a tensor lie at equal distances, also those that nobody holds.
            var address = (byte*)some[1] + (expert - 1) * (some[2] - some[1]);
            var there = Enumerable.Range(0, rows).All(row => new ReadOnlySpan<byte>(address + row * some.RowStride * 2, width).SequenceEqual(
                StoredBytes.Of(whole, expert).AsSpan((2 * row + 1) * width, width)));
            Assert.Equal(expert is 1 or 2, there);
        }
        var place = some[2];
        some.Dispose();
        using var again = tensor.Hold(2, 1, width / 2, width / 2);
        Assert.Equal(place, again[2]);
        Assert.True(new ReadOnlySpan<byte>((void*)again[2], width).SequenceEqual(StoredBytes.Of(whole, 2).AsSpan(width, width)));
    }

    [SharedTheory]
    [InlineData("tiny-scout")]
    [InlineData("tiny-maverick")]
    public void Logits_equal_the_reference_s(string fixture)
    {
        var folder = Shared.PathOf("fixtures", $"{fixture}-meta");
        using var meta = CheckpointDirectory.Open(folder);
        var expected = SafetensorsFixture.OpenFile(Path.Combine(folder, "expected.safetensors"));
        using var backend = new CpuBackend(0, threads: 2, ActivationType.Float32, meta.Config);
        using var decoder = LlamaDecoder.Load(backend, meta.Config, meta);
        var prompts = expected.Ids("input_ids").Chunk(expected.Shape("input_ids")[1]).ToArray();
        using KvCache first = decoder.NewCache(), second = decoder.NewCache();
        var rows = new RowBatch([new(first, 0, prompts[0].Length), new(second, 0, prompts[1].Length)]);
        using var logits = decoder.Forward(rows, [.. prompts[0], .. prompts[1]], [.. Enumerable.Range(0, rows.Rows)]);
        var values = new float[logits.Rows * logits.Width];
        for (var row = 0; row < logits.Rows; row++) backend.CopyRow(logits, row, values.AsSpan(row * logits.Width, logits.Width));
        Close.All(expected.Floats("logits"), values, "logits");
    }

    [SharedFact]
    public void Params_say_what_the_config_says()
    {
        using var meta = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-maverick-meta"));
        using var other = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-maverick"));
        // Records of arrays compare by reference; their texts do not. The longest context is in neither's params.
        Assert.Equal(Text(other.Config), Text(meta.Config with { MaxPositions = other.Config.MaxPositions }));

        static string Text(LlamaConfig config) => System.Text.Json.JsonSerializer.Serialize(config);
    }

    [SharedFact]
    public void A_config_beside_the_params_wins()
    {
        using var folder = new TemporaryFolder();
        CopyFolder(Shared.PathOf("fixtures/tiny-scout-meta"), folder.Path);
        File.Copy(Shared.PathOf("fixtures/tiny-scout/config.json"), folder.PathOf("config.json"));
        using var meta = CheckpointDirectory.Open(folder.Path);
        Assert.Equal(64, meta.Config.RopeScaling!.OriginalMaxPositions);
        using var other = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        Assert.Equal(other.Digest, meta.Digest);
    }

    [SharedTheory]
    [InlineData(1, "consolidated.01.pth")]
    [InlineData(0, "consolidated.00.pth")]
    public void A_missing_shard_is_named(int rank, string name)
    {
        using var folder = new TemporaryFolder();
        CopyFolder(Shared.PathOf("fixtures/tiny-scout-meta"), folder.Path);
        File.Delete(folder.PathOf(MetaShards.NameOf(rank)));
        var fault = Assert.Throws<FileNotFoundException>(() => CheckpointDirectory.Open(folder.Path));
        Assert.Contains(name, fault.Message);
        Assert.Contains("does not exist", fault.Message);
    }

    [SharedFact]
    public void Shards_of_different_sets_are_refused()
    {
        using var folder = new TemporaryFolder();
        CopyFolder(Shared.PathOf("fixtures/tiny-scout-meta"), folder.Path);
        File.Copy(Shared.PathOf("fixtures/tiny-maverick-meta/consolidated.01.pth"), folder.PathOf("consolidated.01.pth"), overwrite: true);
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(folder.Path));
        Assert.Contains("consolidated.01.pth", fault.Message);
        Assert.Contains("shards of one set are divided alike", fault.Message);
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from))
        {
            var copy = Path.Combine(to, Path.GetFileName(file));
            File.WriteAllBytes(copy, File.ReadAllBytes(file));
        }
    }
}
