using System.Collections.Immutable;

namespace ActorLlama.Model;

/// <summary>Which layers use RoPE and which have experts (spec 1.1, 1.6).</summary>
internal static class LayerPattern
{
    private const string Chunked = "chunked_attention";
    private const string Full = "full_attention";

    /// <summary><c>moe_layers</c>, or every <c>interleave_moe_layer_step</c>-th layer.</summary>
    public static ImmutableArray<bool> Moe(ConfigSection text, int layers)
    {
        var step = text.Count("interleave_moe_layer_step", 1);
        if (text.WholeList("moe_layers") is not { } listed)
            return [.. Enumerable.Range(0, layers).Select(layer => (layer + 1) % step == 0)];
        foreach (var layer in listed)
            if (layer < 0 || layer >= layers)
                throw text.Fault("moe_layers", $"layer {layer} does not exist: there are {layers} layers, from 0.");
        return [.. Enumerable.Range(0, layers).Select(layer => listed.Contains(layer))];
    }

    /// <summary><c>no_rope_layers</c>, where 1 means that the layer USES RoPE; empty or missing: all but every interval-th layer.</summary>
    public static ImmutableArray<bool> Rope(ConfigSection text, int layers)
    {
        var interval = text.Count("no_rope_layer_interval", 4);
        if (text.WholeList("no_rope_layers") is not { Length: > 0 } listed)
            return [.. Enumerable.Range(0, layers).Select(layer => (layer + 1) % interval != 0)];
        if (listed.Length != layers)
            throw text.Fault("no_rope_layers", $"it has {listed.Length} entries for {layers} layers; give one for each layer, or none.");
        return [.. listed.Select(flag => flag switch
        {
            0 => false,
            1 => true,
            _ => throw text.Fault("no_rope_layers", "each entry must be 1 (RoPE) or 0 (no RoPE)."),
        })];
    }

    /// <summary>Refuses <c>layer_types</c> that would chunk a NoPE layer or unchunk a RoPE layer: the two never mix.</summary>
    public static void CheckTypes(ConfigSection text, ImmutableArray<bool> usesRope, int? chunk)
    {
        if (text.TextList("layer_types") is not { } types) return;
        if (types.Length != usesRope.Length)
            throw text.Fault("layer_types", $"it has {types.Length} entries for {usesRope.Length} layers; give one for each layer.");
        for (var layer = 0; layer < types.Length; layer++)
        {
            if (types[layer] is not (Chunked or Full))
                throw text.Fault("layer_types", $"each entry must be \"{Chunked}\" or \"{Full}\".");
            var expected = usesRope[layer] ? Chunked : Full;
            if (chunk is not null && types[layer] != expected)
                throw text.Fault(
                    "layer_types",
                    $"layer {layer} {(usesRope[layer] ? "uses" : "does not use")} RoPE, so its entry must be \"{expected}\", not \"{types[layer]}\".");
        }
    }
}
