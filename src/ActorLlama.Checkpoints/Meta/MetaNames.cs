using System.Collections.Frozen;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>Meta's keys of canonical parameters (spec 3.2, 3.3). Several canonical tensors may share a key, and one may need two.</summary>
internal static class MetaNames
{
    private const string LayersPrefix = "text.layers.";

    private static readonly FrozenDictionary<string, string[]> InLayer = new Dictionary<string, string[]>
    {
        ["attn_norm.weight"] = ["attention.wqkv.layer_norm_weight"],
        ["attn.q.weight"] = ["attention.wqkv.weight"],
        ["attn.k.weight"] = ["attention.wqkv.weight"],
        ["attn.v.weight"] = ["attention.wqkv.weight"],
        ["attn.o.weight"] = ["attention.wo.weight"],
        ["ffn_norm.weight"] = ["feed_forward.norm.weight"],
        ["moe.router.weight"] = ["feed_forward.router_DE"],
        ["moe.experts.gate_up"] = ["feed_forward.experts.moe_w_in_eD_F", "feed_forward.experts.moe_w_swiglu_eD_F"],
        ["moe.experts.down"] = ["feed_forward.experts.moe_w_out_eF_D"],
        ["moe.shared.gate.weight"] = ["feed_forward.w_in_shared_FD.weight"],
        ["moe.shared.up.weight"] = ["feed_forward.w_swiglu_FD.weight"],
        ["moe.shared.down.weight"] = ["feed_forward.w_out_shared_DF.weight"],
        ["mlp.gate.weight"] = ["feed_forward.mlp.fc1_weight"],
        ["mlp.up.weight"] = ["feed_forward.mlp.fc1_weight"],
        ["mlp.down.weight"] = ["feed_forward.mlp.fc2_weight"],
    }.ToFrozenDictionary();

    /// <summary>The keys that hold a canonical tensor.</summary>
    public static string[] KeysOf(string canonicalName)
    {
        switch (canonicalName)
        {
            case ParameterNames.Embed: return ["tok_embeddings.weight"];
            case ParameterNames.LmHead: return ["output.weight"];
            case ParameterNames.FinalNorm: return ["norm.weight"];
        }
        if (VisionTable.Find(canonicalName) is { } vision) return [vision.Meta];
        if (canonicalName.StartsWith(LayersPrefix, StringComparison.Ordinal))
        {
            var rest = canonicalName[LayersPrefix.Length..];
            var dot = rest.IndexOf('.', StringComparison.Ordinal);
            if (dot > 0 && InLayer.TryGetValue(rest[(dot + 1)..], out var keys)) return [.. keys.Select(key => $"layers.{rest[..dot]}.{key}")];
        }
        throw new KeyNotFoundException($"Checkpoint: no name is known for parameter \"{canonicalName}\" in Meta's layout.");
    }
}
