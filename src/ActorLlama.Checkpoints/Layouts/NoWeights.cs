namespace ActorLlama.Checkpoints;

/// <summary>The layout of a folder whose weights nobody wants.</summary>
internal sealed class NoWeights : TensorLayout
{
    public override string Name => LayoutNames.Unscanned;

    public override IEnumerable<MappedFile> Files => [];

    public override IReadOnlyCollection<string> Keys => [];

    public override int VisionBlocks => 0;

    public override string KeyOf(string canonicalName) => canonicalName;

    public override TensorView? Find(string canonicalName) => null;

    public override string PathOf(string key) => "";

    public override bool IsVision(string key) => false;

    public override void Dispose()
    {
    }
}
