using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>The optimizer's state of a checkpoint, opened. Its tensors are readable until it is disposed.</summary>
public sealed class OptimizerState : IDisposable
{
    private readonly string _folder;
    private readonly ImmutableArray<SafetensorsFile> _files;
    private readonly Dictionary<string, TensorData> _tensors = new(StringComparer.Ordinal);

    private OptimizerState(string folder, ImmutableArray<SafetensorsFile> files)
    {
        (_folder, _files) = (folder, files);
        foreach (var file in files)
            foreach (var entry in file.Entries)
                _tensors[entry.Name] = new Stored(file, entry);
    }

    public IEnumerable<string> Names => _tensors.Keys;

    /// <exception cref="InvalidDataException">The folder holds none, or a file is broken.</exception>
    public static OptimizerState Open(string folder)
    {
        var paths = Directory.Exists(folder) ? Directory.GetFiles(folder, $"{TrainingCheckpoint.OptimizerPart}-*.safetensors") : [];
        if (paths.Length == 0)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(folder)} holds no optimizer state ({TrainingCheckpoint.OptimizerPart}-*.safetensors). Start from its weights alone with load_parameters_path.");
        var files = new List<SafetensorsFile>();
        try
        {
            foreach (var path in paths.Order(StringComparer.Ordinal)) files.Add(SafetensorsFile.Open(path));
            return new OptimizerState(folder, [.. files]);
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name. Throws <see cref="InvalidDataException"/> naming it when absent.</summary>
    public TensorData Get(string name) => _tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new InvalidDataException($"Checkpoint: the optimizer state in {Quote(_folder)} has no tensor {Quote(name)}. It is of another model or optimizer.");

    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }

    private sealed class Stored(SafetensorsFile file, SafetensorsEntry entry) : TensorData(entry.Name, TypeOf(file, entry), entry.Shape)
    {
        public override void Read(long offset, Span<byte> bytes) => file.Read(entry.Offset + offset, bytes);

        private static ElementType TypeOf(SafetensorsFile file, SafetensorsEntry entry) => entry.Type switch
        {
            SafetensorsType.F32 => ElementType.Float32,
            SafetensorsType.BF16 => ElementType.BFloat16,
            _ => throw new InvalidDataException($"Checkpoint: tensor {Quote(entry.Name)} in {Quote(file.Path)} has dtype {Quote(entry.Type)}; it is F32 or BF16. The file is not of this program."),
        };
    }
}
