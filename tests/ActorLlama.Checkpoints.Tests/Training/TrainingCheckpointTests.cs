using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests.Training;

public sealed class TrainingCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 6)]
    public Property Any_model_is_written_scanned_with_its_optimizer_and_read_back() => Prop.ForAll(RandomModel.Any(), drawn =>
    {
        using var folder = new TemporaryFolder();
        (drawn with { HasVision = false }).Write(folder.PathOf("source"));
        using var source = CheckpointDirectory.Open(folder.PathOf("source"));
        File.WriteAllText(folder.PathOf("words"), "the tokenizer");
        var target = folder.PathOf("run", "checkpoints", "7", "items");
        var state = StateOf(source, 7) with { Record = "{\"updates\":8}", Files = new Dictionary<string, string> { ["tokenizer.model"] = folder.PathOf("words") } };
        TrainingCheckpoint.Write(target, state);

        SameCheckpoint.Assert(source.Path, target);
        using var saved = CheckpointDirectory.Open(target);
        Assert.Equal((LayoutNames.Scanned, Path.Combine(target, "tokenizer.model"), 7), (saved.Layout, saved.TokenizerPath, TrainingCheckpoint.StepOf(target)));
        Assert.Equal("{\"updates\":8}", TrainingCheckpoint.RecordOf(target));
        Assert.All(CheckpointChecksum.Of(target), file => Assert.Equal(FileVerdict.Same, file.Verdict));
        using var optimizer = OptimizerState.Open(target);
        Assert.Equal(state.Optimizer.Select(tensor => tensor.Name).Order(), optimizer.Names.Order());
        foreach (var tensor in state.Optimizer)
        {
            var read = optimizer.Get(tensor.Name);
            Assert.Equal(tensor.Type, read.Type);
            Assert.Equal(BytesOf(tensor), BytesOf(read));
            Assert.Equal(tensor.Shape.AsEnumerable(), read.Shape);
        }
        Assert.Equal([target], Directory.GetFileSystemEntries(folder.PathOf("run", "checkpoints", "7")));
    });

    [Fact]
    public void What_a_killed_write_left_is_no_checkpoint_and_the_next_write_removes_it()
    {
        using var source = CheckpointDirectory.Open(TinyShapes.WriteSingle(_folder.Path));
        var parent = Directory.CreateDirectory(_folder.PathOf("0")).FullName;
        var left = Directory.CreateDirectory(Path.Combine(parent, ".items.partial")).FullName;
        File.WriteAllText(Path.Combine(left, PartialFolder.JournalFile), "step 0");
        File.WriteAllText(Path.Combine(left, "model.safetensors"), "half");
        Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(left));
        TrainingCheckpoint.Write(Path.Combine(parent, "items"), StateOf(source, 0));
        Assert.Equal([Path.Combine(parent, "items")], Directory.GetFileSystemEntries(parent));
    }

    [Fact]
    public void A_write_that_fails_leaves_nothing_and_one_that_is_there_stays()
    {
        using var source = CheckpointDirectory.Open(TinyShapes.WriteSingle(_folder.Path));
        var state = StateOf(source, 0);
        var broken = state with { Weights = [.. state.Weights.Skip(1), new Bytes(state.Weights[0].Name, state.Weights[0].Type, state.Weights[0].Shape, fails: true)] };
        Assert.Contains("cannot be written: no more", Assert.Throws<InvalidDataException>(() => TrainingCheckpoint.Write(_folder.PathOf("0", "items"), broken)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.PathOf("0")));

        TrainingCheckpoint.Write(_folder.PathOf("0", "items"), state);
        Assert.Contains("is written into a new or empty folder", Assert.Throws<InvalidDataException>(() => TrainingCheckpoint.Write(_folder.PathOf("0", "items"), state)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => TrainingCheckpoint.Write(_folder.PathOf("1", "items"), state with { Weights = [.. state.Weights.Skip(1)] }));
    }

    [Fact]
    public void A_checkpoint_without_optimizer_and_a_tensor_that_is_not_there_are_named()
    {
        var weights = TinyShapes.WriteSingle(_folder.Path);
        Assert.Contains("holds no optimizer state", Assert.Throws<InvalidDataException>(() => OptimizerState.Open(weights)).Message, StringComparison.Ordinal);
        Assert.Null(TrainingCheckpoint.StepOf(weights));
        Assert.Contains("not saved by a training run", Assert.Throws<InvalidDataException>(() => TrainingCheckpoint.RecordOf(weights)).Message, StringComparison.Ordinal);
        using var source = CheckpointDirectory.Open(weights);
        TrainingCheckpoint.Write(_folder.PathOf("items"), StateOf(source, 3));
        using var optimizer = OptimizerState.Open(_folder.PathOf("items"));
        Assert.Contains("no tensor \"mu.other\"", Assert.Throws<InvalidDataException>(() => optimizer.Get("mu.other")).Message, StringComparison.Ordinal);
    }

    /// <summary>The weights of a checkpoint, and moments made of their bytes.</summary>
    private static TrainedState StateOf(Checkpoint source, long step)
    {
        var weights = ParameterTable.Of(source.Config).Parameters.Select(parameter => new Bytes(parameter.Name, source.Get(parameter.Name))).ToArray();
        return new TrainedState
        {
            ConfigJson = source.ConfigJson,
            Step = step,
            Weights = weights,
            Optimizer = [.. weights.SelectMany(weight => (TensorData[])[new Bytes($"mu.{weight.Name}", weight), new Bytes($"nu.{weight.Name}", weight)])],
        };
    }

    private static byte[] BytesOf(TensorData tensor)
    {
        var bytes = new byte[tensor.Bytes];
        tensor.Read(0, bytes);
        return bytes;
    }

    private sealed class Bytes(string name, ElementType type, ImmutableArray<long> shape, bool fails) : TensorData(name, type, shape)
    {
        private readonly TensorData? _of;

        public Bytes(string name, TensorData of) : this(name, of.Type, of.Shape, fails: false) => _of = of;

        public override void Read(long offset, Span<byte> bytes)
        {
            if (fails) throw new IOException("no more");
            _of?.Read(offset, bytes);
        }
    }
}
