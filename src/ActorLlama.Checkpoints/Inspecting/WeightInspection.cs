using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>A checkpoint folder or a single weight file (<c>.safetensors</c>, <c>.pth</c>), opened to be looked at.</summary>
public sealed class WeightInspection : IDisposable
{
    private readonly IDisposable _owner;
    private readonly Func<string, TensorView?> _find;

    private WeightInspection(IDisposable owner, ImmutableArray<TensorSummary> tensors, Func<string, TensorView?> find) =>
        (_owner, Tensors, _find) = (owner, tensors, find);

    /// <summary>The checkpoint; null when a single file was opened.</summary>
    public Checkpoint? Checkpoint => _owner as Checkpoint;

    /// <summary>All tensors: of a checkpoint in forward order, of a file in its own.</summary>
    public ImmutableArray<TensorSummary> Tensors { get; }

    /// <summary>Throws <see cref="FileNotFoundException"/> or <see cref="InvalidDataException"/>.</summary>
    public static WeightInspection Open(string path)
    {
        if (!File.Exists(path)) return OfCheckpoint(CheckpointDirectory.Open(path));
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".pth" => OfPth(PthFile.Open(path)),
            ".safetensors" => OfSafetensors(SafetensorsFile.Open(path)),
            _ => throw new InvalidDataException($"Inspect: {Quote(path)} is no weight file by its name. Name a .safetensors or .pth file, or a checkpoint's folder."),
        };
    }

    /// <summary>Reads the tensor of that name; null when its elements are neither BF16 nor F32.</summary>
    public TensorStatistics? Statistics(string name, CancellationToken cancellation = default) =>
        _find(name) is { } view ? WeightValues.Statistics(view, cancellation) : null;

    public void Dispose() => _owner.Dispose();

    private static WeightInspection OfCheckpoint(Checkpoint checkpoint)
    {
        var table = ParameterTable.Of(checkpoint.Config);
        var views = checkpoint.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.View);
        return new(
            checkpoint,
            [.. checkpoint.Tensors.Select(tensor => Summary(tensor.Name, table.Find(tensor.Name)?.Group.ToString() ?? "Vision", tensor.View))],
            name => views[name]);
    }

    private static WeightInspection OfPth(PthFile file)
    {
        file.Source.Map();
        return new(file, [.. file.Keys.Select(key => Summary(key, "File", file.Find(key)!))], key => file.Find(key)!);
    }

    private static WeightInspection OfSafetensors(SafetensorsFile file)
    {
        file.Source.Map();
        return new(
            file, [.. file.Entries.Select(entry => new TensorSummary(entry.Name, entry.Name, "file", entry.Type, entry.Shape, entry.Bytes))],
            key => file.Find(key)! is var entry && entry.Type switch
            {
                SafetensorsType.BF16 => ElementType.BFloat16,
                SafetensorsType.F32 => ElementType.Float32,
                _ => (ElementType?)null,
            } is { } type
                ? TensorView.Of(key, type, entry.Shape, file.Source, entry.Offset)
                : null);
    }

    private static TensorSummary Summary(string name, string group, TensorView view) => new(
        name, view.Name, char.ToLowerInvariant(group[0]) + group[1..], SafetensorsType.Of(view.Type), view.Shape, view.Bytes);
}
