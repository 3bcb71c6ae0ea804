using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// A checkpoint to go on training from: the scanned layout, with the optimizer's state beside it as <c>optimizer-*.safetensors</c>, and the step in its manifest.
/// Whoever only wants the weights opens it as any other.
/// </summary>
public static class TrainingCheckpoint
{
    /// <summary>Name of the part, which its files are called after.</summary>
    internal const string OptimizerPart = "optimizer";

    private const string RecordFile = "training.json";

    /// <summary>Writes a checkpoint, which appears whole or not at all: a run killed meanwhile leaves a hidden folder beside it that the next write removes.</summary>
    /// <param name="to">The folder to make; it does not exist yet or is empty.</param>
    /// <param name="state">What it holds. Read while it is written, from several threads.</param>
    /// <param name="cancellation">Stops the write.</param>
    /// <exception cref="InvalidDataException">The target is taken or cannot be written, or the disk has no room.</exception>
    public static void Write(string to, TrainedState state, CancellationToken cancellation = default)
    {
        var target = TargetFolder.PathOf(to);
        TargetFolder.RequireFree(target, to);
        var (weights, optimizer) = (Stacked(state).ToList(), state.Optimizer.Select(tensor => ToWrite(tensor.Name, [tensor])).ToList());
        var parent = Path.GetDirectoryName(target) ?? target;
        TargetFolder.Make(parent, to);
        TargetFolder.RequireRoom(parent, to, weights.Concat(optimizer).Sum(tensor => tensor.Bytes));
        using var folder = PartialFolder.Take(target, to, $"step {state.Step}", resume: false);
        try
        {
            var files = new Dictionary<string, Manifest.FileState>(StringComparer.Ordinal);
            Write(null, weights);
            Write(OptimizerPart, optimizer);
            DurableFile.WriteText(Path.Combine(folder.Path, CheckpointDirectory.ConfigFile), FlatConfig.Of(state.ConfigJson, state.Weights[0].Type));
            DurableFile.WriteText(Path.Combine(folder.Path, RecordFile), state.Record);
            foreach (var (name, path) in state.Files) DurableFile.Copy(path, Path.Combine(folder.Path, name));
            var others = folder.Files.Where(name => !files.ContainsKey(name)).ToList();
            foreach (var (name, file) in FileHashes.Of(folder.Path, others, threads: 1, hashed: null, cancellation)) files.Add(name, file);
            DurableFile.WriteText(Path.Combine(folder.Path, Manifest.FileName), new Manifest(LayoutNames.Scanned, state.Step, "", files).ToJson());
            folder.BecomeTarget(target);

            void Write(string? part, IReadOnlyList<TensorToWrite> tensors)
            {
                if (tensors.Count > 0) new SafetensorsWriter(folder.Path) { Part = part, States = files }.Write(tensors, cancellation);
            }
        }
        catch (Exception fault)
        {
            folder.Remove();
            if (fault is not (IOException or UnauthorizedAccessException)) throw;
            throw new InvalidDataException($"Checkpoint: {Quote(to)} cannot be written: {fault.Message.ReplaceLineEndings(" ")} Nothing of it is left.", fault);
        }
    }

    /// <summary>The step after whose update a checkpoint was written; null for a folder that is no whole checkpoint of ours.</summary>
    public static long? StepOf(string folder) => Manifest.Read(folder)?.Step;

    /// <summary>What the run wrote of itself (<see cref="TrainedState.Record"/>).</summary>
    /// <exception cref="InvalidDataException">The checkpoint has no such record.</exception>
    public static string RecordOf(string folder) => Path.Combine(folder, RecordFile) is var path && File.Exists(path)
        ? File.ReadAllText(path)
        : throw new InvalidDataException($"Checkpoint: {Quote(folder)} has no {Quote(RecordFile)}: it was not saved by a training run. Start from its weights alone with load_parameters_path.");

    /// <summary>Layers stacked by their place in a block, each where <see cref="ScannedLayout"/> looks for it.</summary>
    private static IEnumerable<TensorToWrite> Stacked(TrainedState state)
    {
        var config = LlamaConfigReader.Read(state.ConfigJson, CheckpointDirectory.ConfigFile).Config;
        var (blocks, byName) = (new ScanBlocks(config), state.Weights.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal));
        return ParameterTable.Of(config).Parameters
            .Select(parameter => byName.TryGetValue(parameter.Name, out var tensor)
                ? tensor
                : throw new ArgumentException($"Checkpoint: parameter \"{parameter.Name}\" is missing from the state.", nameof(state)))
            .GroupBy(tensor => blocks.PlaceOf(tensor.Name)?.Key ?? tensor.Name, StringComparer.Ordinal)
            .Select(stack => ToWrite(stack.Key, [.. stack]));
    }

    /// <summary>Tensors of one shape behind each other; names of blocks have a further axis in front, which counts them.</summary>
    private static TensorToWrite ToWrite(string key, TensorData[] members)
    {
        var (first, bytes) = (members[0], members[0].Bytes);
        return new TensorToWrite(key, SafetensorsType.Of(first.Type), key.StartsWith(ScanBlocks.Prefix, StringComparison.Ordinal) ? first.Shape.Insert(0, members.Length) : first.Shape, (offset, to) =>
        {
            while (!to.IsEmpty)
            {
                var (member, at) = Math.DivRem(offset, bytes);
                var piece = to[..(int)Math.Min(to.Length, bytes - at)];
                members[member].Read(at, piece);
                to = to[piece.Length..];
                offset += piece.Length;
            }
        });
    }
}
