using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Safetensors under canonical names, a tensor per layer (spec 3.3); matrices may lie in panels (<see cref="PanelStorage"/>), experts one by one
/// (<see cref="ExpertKeys"/>).
/// </summary>
internal sealed class UnscannedLayout(ShardSet shards, LlamaConfig config) : SafetensorsLayout(shards)
{
    private readonly ParameterTable _parameters = ParameterTable.Of(config);

    public override string Name => LayoutNames.Unscanned;

    public override int VisionBlocks => VisionTable.CountBlocks(Keys, VisionTable.BlocksPrefix);

    public override bool IsVision(string key) => key.StartsWith(VisionTable.Prefix, StringComparison.Ordinal);

    public override string KeyOf(string canonicalName) =>
        Has(canonicalName) ? canonicalName
        : Has(canonicalName + PanelStorage.Suffix) ? canonicalName + PanelStorage.Suffix
        : OneByOne(canonicalName) is { } keys ? keys.FirstOrDefault(key => !Has(key)) ?? keys[0]
        : canonicalName;

    public override TensorView? Find(string canonicalName)
    {
        if (View(canonicalName) is { } view) return view;
        if (OneByOne(canonicalName) is { } keys)
        {
            var experts = Array.ConvertAll(keys, View);
            return experts.Contains(null) ? null : TensorView.Stack(experts!);
        }
        if (Packed(canonicalName) is not { } packed || _parameters.Find(canonicalName) is not { } parameter || !PanelStorage.Holds(parameter)) return null;
        var (outputs, inputs) = (parameter.Shape[0], parameter.Shape[1]);
        var wanted = PanelStorage.ShapeOf(outputs, inputs);
        if (!packed.Shape.SequenceEqual(wanted))
            throw new InvalidDataException(
                $"Checkpoint: tensor {Quote(packed.Name)} in {Quote(PathOf(packed.Name))} has shape {Quote(packed.Shape)}, by the config it is {Quote(wanted)}. "
                + "Use config.json and weights of one checkpoint.");
        return PanelStorage.ViewOf(packed.Name, packed.Type, outputs, inputs, packed.Blocks[0].File, packed.Blocks[0].Offset);
    }

    public override PanelPlace? PanelsOf(string canonicalName) =>
        !Has(canonicalName) && Packed(canonicalName) is { } packed ? new PanelPlace(packed.Blocks[0].File, packed.Blocks[0].Offset) : null;

    /// <summary>Keys of the experts of a tensor that lie one by one, the first of which is there; null for any other tensor.</summary>
    private string[]? OneByOne(string canonicalName) =>
        _parameters.Find(canonicalName) is { Group: ParameterGroup.Experts } experts && Has(ExpertKeys.Of(canonicalName, 0))
            ? [.. Enumerable.Range(0, (int)experts.Shape[0]).Select(expert => ExpertKeys.Of(canonicalName, expert))]
            : null;

    private TensorView? Packed(string canonicalName) => View(canonicalName + PanelStorage.Suffix);
}
