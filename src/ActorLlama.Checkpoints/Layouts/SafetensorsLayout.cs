using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>What the layouts in safetensors files share.</summary>
internal abstract class SafetensorsLayout(ShardSet shards) : TensorLayout
{
    public override IEnumerable<MappedFile> Files => shards.Files.Select(file => file.Source);

    public override IReadOnlyCollection<string> Keys => shards.Keys;

    public override string PathOf(string key) => shards.Find(key)!.Value.File.Path;

    public override void Dispose() => shards.Dispose();

    protected bool Has(string key) => shards.Find(key) is not null;

    /// <summary>The tensor of that key; null when absent. Throws when its type or place cannot be read.</summary>
    protected TensorView? View(string key)
    {
        if (shards.Find(key) is not { } found) return null;
        var (file, entry) = found;
        Used.Add(key);
        var where = $"Checkpoint: tensor {Quote(entry.Name)} in {Quote(file.Path)}";
        var type = TypeOf(entry.Type) ?? throw new InvalidDataException(
            $"{where} has dtype {Quote(entry.Type)}; weights are BF16 or F32. Use the bfloat16 release of the checkpoint.");
        var elementBytes = TensorView.BytesOf(type);
        if (entry.Offset % elementBytes != 0)
            throw new InvalidDataException(
                $"{where} begins at byte {entry.Offset}, no multiple of its element's {elementBytes} bytes, "
                + "so it cannot be read in place. Save the file again with a current writer.");
        return TensorView.Of(entry.Name, type, entry.Shape, file.Source, entry.Offset);
    }
}
