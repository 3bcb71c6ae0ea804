using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// How the scanned layout stacks layers (spec 3.4): the shortest cycle after which kinds of layers repeat (Llama 4: four) gives the
/// members b of a block; layer L lies at index L / cycle of the stack of member L mod cycle.
/// </summary>
internal sealed class ScanBlocks
{
    public const string Prefix = "text.blocks.";

    private const string LayersPrefix = "text.layers.";

    private readonly int _layers;

    public ScanBlocks(LlamaConfig config)
    {
        _layers = config.Layers;
        Cycle = Enumerable.Range(1, config.Layers).First(
            cycle => Enumerable.Range(0, config.Layers - cycle).All(
                layer => config.IsMoe[layer] == config.IsMoe[layer + cycle] && config.UsesRope[layer] == config.UsesRope[layer + cycle]));
    }

    /// <summary>Layers of one block.</summary>
    public int Cycle { get; }

    /// <summary>Where a tensor of a layer lies; null for tensors outside the layers.</summary>
    public (string Key, long Index, long Layers)? PlaceOf(string canonicalName)
    {
        if (!canonicalName.StartsWith(LayersPrefix, StringComparison.Ordinal)) return null;
        var rest = canonicalName.AsSpan(LayersPrefix.Length);
        var dot = rest.IndexOf('.');
        var layer = int.Parse(rest[..dot]);
        var member = layer % Cycle;
        return ($"{Prefix}{member}.{rest[(dot + 1)..]}", layer / Cycle, (_layers - member + Cycle - 1) / Cycle);
    }
}
