using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests.Saving;

/// <summary>Owners write what their devices hold; together it is the checkpoint again.</summary>
public sealed class SaveTests : IDisposable
{
    private const string Nonce = "known to those who see the folder";

    // Random bytes make NaN of every kind, which must come through, too.
    private static readonly WeightLoading s_loading = new(AllowNaN: true);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 4)]
    public Property Any_division_of_a_model_saves_as_the_model() => Prop.ForAll(RandomModel.Any(), model =>
    {
        using var folder = new TemporaryFolder();
        model.Write(folder.PathOf("source"));
        using var source = CheckpointDirectory.Open(folder.PathOf("source"));
        var random = new Random(model.Seed);
        using IBackend backend = random.Next(2) == 0
            ? new CpuBackend(0, 2, ActivationType.Float32, source.Config)
            : new TorchBackend(source.Config, "cpu", ActivationType.Float32);
        Save(source, backend, folder.PathOf("target"), Cuts(source.Config.Layers, random), Cuts(source.Config.Experts, random));
        SameCheckpoint.Assert(folder.PathOf("source"), folder.PathOf("target"));
        Assert.True(Directory.GetDirectories(folder.Path).Length == 2, "something is left");
        using var saved = CheckpointDirectory.Open(folder.PathOf("target"));
        Assert.Equal((LayoutNames.Unscanned, source.HasVision), (saved.Layout, saved.HasVision));
        Assert.Equal(source.GenerationDefaults, saved.GenerationDefaults);
        Assert.All(CheckpointChecksum.Of(saved.Path), file => Assert.Equal(FileVerdict.Same, file.Verdict));
    });

    [SharedFact]
    public void Experts_of_a_saved_checkpoint_are_read_where_they_lie()
    {
        using var source = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        using (var backend = new CpuBackend(0, 2, ActivationType.Float32, source.Config)) Save(source, backend, _folder.PathOf("target"), [3, 8], [1, 4]);
        using var saved = CheckpointDirectory.Open(_folder.PathOf("target"));
        var tensor = saved.Get(ParameterNames.ExpertsGateUp(2));
        using var up = tensor.Hold(1, 3, tensor.Shape[2] / 2, tensor.Shape[2] / 2);
        Assert.Equal((0, tensor.Shape[2]), (up.CopiedBytes, up.RowStride));
    }

    [Fact]
    public void A_tied_head_is_written_once_by_whom_the_embedding_is()
    {
        var shape = TinyShapes.Flat.Replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", StringComparison.Ordinal);
        CheckpointInitializer.Write(shape, 5, _folder.PathOf("source"));
        using var source = CheckpointDirectory.Open(_folder.PathOf("source"));
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, source.Config);
        Save(source, backend, _folder.PathOf("divided"), [1, 2], [2]);
        Save(source, backend, _folder.PathOf("whole"), [2], [2]);
        SameCheckpoint.Assert(_folder.PathOf("source"), _folder.PathOf("divided"));
        SameCheckpoint.Assert(_folder.PathOf("source"), _folder.PathOf("whole"));
    }

    [Fact]
    public void A_folder_that_is_not_shared_is_refused()
    {
        var folder = SaveFolder.Make(_folder.PathOf("target"), "1", Nonce, 0);
        SaveFolder.RequireShared(folder, Nonce);
        foreach (var (path, nonce) in ((string, string)[])[(folder, "another"), (_folder.PathOf("nowhere"), Nonce), (_folder.Path, Nonce)])
        {
            var fault = Assert.Throws<InvalidDataException>(() => CheckpointSave.WritePart(path, nonce, "x", [], 1, null, CancellationToken.None));
            Assert.Contains("not on storage that all nodes share", fault.Message);
        }
    }

    [Fact]
    public void What_is_not_committed_is_no_checkpoint_and_goes_with_the_next_save()
    {
        var (source, parts) = Written(out var folder);
        using (source)
        {
            Assert.Contains("unfinished conversion or save", Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(folder)).Message);
            var other = _folder.PathOf($".target-notes{DurableFile.TemporarySuffix}");
            Directory.CreateDirectory(other);
            var next = SaveFolder.Make(_folder.PathOf("target"), "2", Nonce, 0);
            Assert.False(Directory.Exists(folder));
            Assert.True(Directory.Exists(other));
            Assert.Throws<FileNotFoundException>(() => CheckpointSave.Commit(next, _folder.PathOf("target"), source, parts));
            Assert.False(Directory.Exists(_folder.PathOf("target")));
        }
    }

    [Fact]
    public void A_part_that_is_missing_cut_short_or_there_twice_is_no_checkpoint()
    {
        var (source, parts) = Written(out var folder);
        using (source)
        {
            var experts = parts.Where(file => file.Name.StartsWith("experts", StringComparison.Ordinal)).ToArray();
            var fault = Assert.Throws<InvalidDataException>(() => CheckpointSave.Commit(folder, _folder.PathOf("target"), source, [.. parts.Except(experts)]));
            Assert.Contains(ParameterNames.ExpertsGateUp(1), fault.Message);

            File.Copy(Path.Combine(folder, experts[0].Name), Path.Combine(folder, "again.safetensors"));
            fault = Assert.Throws<InvalidDataException>(() => CheckpointSave.Commit(
                folder, _folder.PathOf("target"), source, [.. parts, experts[0] with { Name = "again.safetensors" }]));
            Assert.Contains("was written twice", fault.Message);

            fault = Assert.Throws<InvalidDataException>(() => CheckpointSave.Commit(
                folder, _folder.PathOf("target"), source, [experts[0] with { Bytes = experts[0].Bytes + 1 }]));
            Assert.Contains($"but {experts[0].Bytes + 1} were written", fault.Message);
            Assert.False(Directory.Exists(_folder.PathOf("target")));
        }
    }

    [Fact]
    public void A_target_that_is_taken_is_refused()
    {
        File.WriteAllText(_folder.PathOf("file"), "");
        Assert.Contains("is a file", Assert.Throws<InvalidDataException>(() => SaveFolder.Make(_folder.PathOf("file"), "1", Nonce, 0)).Message);
        Assert.Contains("\"file\"", Assert.Throws<InvalidDataException>(() => SaveFolder.Make(_folder.Path, "1", Nonce, 0)).Message);
        Assert.Contains(
            "the disk has", Assert.Throws<InvalidDataException>(() => SaveFolder.Make(_folder.PathOf("target"), "1", Nonce, long.MaxValue)).Message);
    }

    /// <summary>Parts of a small model in a folder that nobody has committed.</summary>
    private (Checkpoint Source, ImmutableArray<SavedFile> Files) Written(out string folder)
    {
        CheckpointInitializer.Write(TinyShapes.Flat, 5, _folder.PathOf("source"));
        var source = CheckpointDirectory.Open(_folder.PathOf("source"));
        using var backend = new CpuBackend(0, 1, ActivationType.Float32, source.Config);
        folder = SaveFolder.Make(_folder.PathOf("target"), "1", Nonce, 0);
        return (source, WriteParts(source, backend, folder, [2], [2]));
    }

    private static void Save(Checkpoint source, IBackend backend, string target, int[] stages, int[] shards)
    {
        var folder = SaveFolder.Make(target, "1", Nonce, 1000);
        CheckpointSave.Commit(folder, target, source, WriteParts(source, backend, folder, stages, shards));
    }

    private static ImmutableArray<SavedFile> WriteParts(Checkpoint source, IBackend backend, string folder, int[] stages, int[] shards)
    {
        var files = ImmutableArray.CreateBuilder<SavedFile>();
        foreach (var (first, end) in Ranges(stages))
        {
            using var stage = TrunkStage.Load(backend, source.Config, new LayerRange(first, end - first), source, s_loading);
            files.AddRange(CheckpointSave.WritePart(folder, Nonce, $"stage-{first}", PartContents.OfStage(stage), 2, null, CancellationToken.None));
        }
        foreach (var (first, end) in source.Config.IsMoe.Contains(true) ? Ranges(shards) : [])
        {
            using var experts = ExpertGroup.Load(backend, source.Config, first, end - first, source, s_loading);
            files.AddRange(CheckpointSave.WritePart(folder, Nonce, $"experts-{first}", PartContents.OfExperts(experts), 2, null, CancellationToken.None));
        }
        files.AddRange(CheckpointSave.WritePart(folder, Nonce, "rest", PartContents.OfRest(source), 1, null, CancellationToken.None));
        return files.ToImmutable();
    }

    private static IEnumerable<(int First, int End)> Ranges(int[] ends) => ends.Select((end, i) => (i == 0 ? 0 : ends[i - 1], end));

    private static int[] Cuts(int count, Random random) =>
        [.. Enumerable.Range(1, count - 1).Where(_ => random.Next(3) == 0), count];
}
