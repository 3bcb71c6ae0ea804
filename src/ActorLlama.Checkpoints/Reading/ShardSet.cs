using System.Collections.Immutable;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>The weight files of a checkpoint, opened, their headers checked and agreeing with the index. No tensor has been read.</summary>
internal sealed class ShardSet : IDisposable
{
    public const string SingleFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    private const string OneVersion = "Download index and shards of one version.";

    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _byKey = new(StringComparer.Ordinal);

    private ShardSet(ImmutableArray<SafetensorsFile> files) => Files = files;

    public ImmutableArray<SafetensorsFile> Files { get; }

    /// <summary>Keys of all tensors.</summary>
    public IReadOnlyCollection<string> Keys => _byKey.Keys;

    public (SafetensorsFile File, SafetensorsEntry Entry)? Find(string key) => _byKey.TryGetValue(key, out var found) ? found : null;

    /// <summary>Opens <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names.</summary>
    public static ShardSet Open(string directory)
    {
        var (single, index) = (Path.Combine(directory, SingleFile), Path.Combine(directory, IndexFile));
        return (File.Exists(single), File.Exists(index)) switch
        {
            (true, true) => throw new InvalidDataException(
                $"Checkpoint: folder {Quote(directory)} has both {Quote(SingleFile)} and {Quote(IndexFile)}; "
                + "it has one of them. Remove the one that is stale."),
            (false, false) => throw new FileNotFoundException(
                $"Checkpoint: folder {Quote(directory)} has neither {Quote(SingleFile)} nor {Quote(IndexFile)}. "
                + "Point to a folder in Hugging Face's layout.", single),
            (true, _) => OpenFiles(directory, [SingleFile], null),
            _ => OpenIndexed(directory, ShardIndex.Read(index)),
        };
    }

    public void Dispose()
    {
        foreach (var file in Files) file.Dispose();
    }

    private static ShardSet OpenIndexed(string directory, ShardIndex index) => OpenFiles(directory, index.Files, index);

    private static ShardSet OpenFiles(string directory, ImmutableArray<string> names, ShardIndex? index)
    {
        var files = ImmutableArray.CreateBuilder<SafetensorsFile>(names.Length);
        try
        {
            foreach (var name in names)
            {
                var path = Path.Combine(directory, name);
                if (index is not null && !File.Exists(path))
                    throw new FileNotFoundException(
                        $"Checkpoint: shard {Quote(name)}, which {Quote(index.Path)} names, does not exist. Download it.", path);
                files.Add(SafetensorsFile.Open(path));
            }
            var set = new ShardSet(files.MoveToImmutable());
            set.Collect(index);
            return set;
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    private void Collect(ShardIndex? index)
    {
        foreach (var file in Files)
            foreach (var entry in file.Entries)
            {
                if (index is not null) RequireListed(index, file, entry);
                _byKey.Add(entry.Name, (file, entry));
            }
        if (index is null) return;
        foreach (var (key, name) in index.Tensors)
            if (!_byKey.ContainsKey(key))
                throw new InvalidDataException(
                    $"Checkpoint: {Quote(index.Path)} puts tensor {Quote(key)} in {Quote(name)}, which does not hold it. {OneVersion}");
    }

    private static void RequireListed(ShardIndex index, SafetensorsFile file, SafetensorsEntry entry)
    {
        var listed = index.FileOf(entry.Name);
        if (listed == Path.GetFileName(file.Path)) return;
        var found = listed is null ? "does not list it" : $"puts it in {Quote(listed)}";
        throw new InvalidDataException(
            $"Checkpoint: tensor {Quote(entry.Name)} lies in {Quote(file.Path)}, but {Quote(index.Path)} {found}. {OneVersion}");
    }
}
