namespace ActorLlama.Checkpoints;

/// <summary>
/// Safetensors under canonical names, in which layers of equal place in a block are stacked along a first axis: each remains one piece
/// (spec 3.4, which puts the axis second).
/// </summary>
internal sealed class ScannedLayout(ShardSet shards, ScanBlocks blocks) : SafetensorsLayout(shards)
{
    public override string Name => LayoutNames.Scanned;

    public override int VisionBlocks => VisionTable.CountBlocks(Keys, VisionTable.BlocksPrefix);

    public override bool IsVision(string key) => key.StartsWith(VisionTable.Prefix, StringComparison.Ordinal);

    public override string KeyOf(string canonicalName) => blocks.PlaceOf(canonicalName)?.Key ?? canonicalName;

    public override TensorView? Find(string canonicalName)
    {
        if (blocks.PlaceOf(canonicalName) is not { } place) return View(canonicalName);
        var stack = View(place.Key);
        if (stack is null) return null;
        if (stack.Shape.Length == 0 || stack.Shape[0] != place.Layers)
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quoting.Quote(stack.Name)} in {Quoting.Quote(PathOf(place.Key))} has shape {Quoting.Quote(stack.Shape)}; "
                + $"by the config it stacks {place.Layers} layers along its first axis. Use config.json and weights of one checkpoint.");
        return stack.At(place.Index);
    }
}
