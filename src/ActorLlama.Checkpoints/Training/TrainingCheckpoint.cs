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
        var weights = Stacks(state.ConfigJson, state.Weights).Select(stack => ToWrite(stack.Key, stack.Members)).ToList();
        var optimizer = state.Optimizer.Select(tensor => ToWrite(tensor.Name, [tensor])).ToList();
        var parent = Path.GetDirectoryName(target) ?? target;
        TargetFolder.Make(parent, to);
        TargetFolder.RequireRoom(parent, to, weights.Concat(optimizer).Sum(tensor => tensor.Bytes));
        using var folder = PartialFolder.Take(target, to, $"step {state.Step}", resume: false);
        try
        {
            var files = new Dictionary<string, Manifest.FileState>(StringComparer.Ordinal);
            Write(null, weights);
            Write(OptimizerPart, optimizer);
            WriteRest(folder.Path, state.ConfigJson, state.Weights[0].Type, state.Step, state.Record, state.Files, files, cancellation);
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

    /// <summary>What goes beside the tensors, the manifest last. <paramref name="states"/>: files whose hash is known already.</summary>
    internal static void WriteRest(
        string folder, string configJson, ElementType type, long step, string record, IReadOnlyDictionary<string, string> copied, Dictionary<string, Manifest.FileState> states,
        CancellationToken cancellation = default)
    {
        DurableFile.WriteText(Path.Combine(folder, CheckpointDirectory.ConfigFile), FlatConfig.Of(configJson, type));
        DurableFile.WriteText(Path.Combine(folder, RecordFile), record);
        foreach (var (name, path) in copied) DurableFile.Copy(path, Path.Combine(folder, name));
        var others = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!).Where(name => name != PartialFolder.JournalFile && !states.ContainsKey(name)).ToList();
        foreach (var (name, file) in FileHashes.Of(folder, others, threads: 1, hashed: null, cancellation)) states.Add(name, file);
        DurableFile.WriteText(Path.Combine(folder, Manifest.FileName), new Manifest(LayoutNames.Scanned, step, "", states).ToJson());
    }

    /// <summary>The index of a checkpoint whose weights are in several files; nothing for one file.</summary>
    internal static void WriteIndex(string folder, IReadOnlyList<TensorFile> files)
    {
        if (files.Count > 1)
            DurableFile.WriteText(
                Path.Combine(folder, ShardSet.IndexFile), ShardIndex.ToJson(files.SelectMany(file => file.Tensors, (file, tensor) => (tensor.Name, file.Name, tensor.Bytes))));
    }

    /// <summary>The step after whose update a checkpoint was written; null for a folder that is no whole checkpoint of ours.</summary>
    public static long? StepOf(string folder) => Manifest.Read(folder)?.Step;

    /// <summary>What the run wrote of itself (<see cref="TrainedState.Record"/>).</summary>
    /// <exception cref="InvalidDataException">The checkpoint has no such record.</exception>
    public static string RecordOf(string folder) => Path.Combine(folder, RecordFile) is var path && File.Exists(path)
        ? File.ReadAllText(path)
        : throw new InvalidDataException($"Checkpoint: {Quote(folder)} has no {Quote(RecordFile)}: it was not saved by a training run. Start from its weights alone with load_parameters_path.");

    /// <summary>Layers stacked by their place in a block, each where <see cref="ScannedLayout"/> looks for it.</summary>
    internal static IEnumerable<(string Key, IReadOnlyList<TensorData> Members)> Stacks(string configJson, IReadOnlyList<TensorData> weights)
    {
        var config = LlamaConfigReader.Read(configJson, CheckpointDirectory.ConfigFile).Config;
        var (blocks, byName) = (new ScanBlocks(config), weights.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal));
        return ParameterTable.Of(config).Parameters
            .Select(parameter => byName.TryGetValue(parameter.Name, out var tensor)
                ? tensor
                : throw new ArgumentException($"Checkpoint: parameter \"{parameter.Name}\" is missing from the state.", nameof(weights)))
            .GroupBy(tensor => blocks.PlaceOf(tensor.Name)?.Key ?? tensor.Name, StringComparer.Ordinal)
            .Select(stack => (stack.Key, (IReadOnlyList<TensorData>)[.. stack]));
    }

    /// <summary>Tensors of one shape behind each other; names of blocks have a further axis in front, which counts them.</summary>
    internal static TensorToWrite ToWrite(string key, IReadOnlyList<TensorData> members)
    {
        var (first, bytes) = (members[0], members[0].Bytes);
        return new TensorToWrite(key, SafetensorsType.Of(first.Type), key.StartsWith(ScanBlocks.Prefix, StringComparison.Ordinal) ? first.Shape.Insert(0, members.Count) : first.Shape, (offset, to) =>
        {
            while (!to.IsEmpty)
            {
                var (member, at) = Math.DivRem(offset, bytes);
                var piece = to[..(int)Math.Min(to.Length, bytes - at)];
                members[(int)member].Read(at, piece);
                to = to[piece.Length..];
                offset += piece.Length;
            }
        });
    }
}
