namespace ActorLlama.Checkpoints;

/// <summary>Safetensors under canonical names, a tensor per layer (spec 3.3).</summary>
internal sealed class UnscannedLayout(ShardSet shards) : SafetensorsLayout(shards)
{
    public override string Name => LayoutNames.Unscanned;

    public override int VisionBlocks => VisionTable.CountBlocks(Keys, VisionTable.BlocksPrefix);

    public override bool IsVision(string key) => key.StartsWith(VisionTable.Prefix, StringComparison.Ordinal);

    public override string KeyOf(string canonicalName) => canonicalName;

    public override TensorView? Find(string canonicalName) => View(canonicalName);
}
