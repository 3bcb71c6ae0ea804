using System.Collections.Frozen;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The one name map between canonical parameters and Hugging Face's tensor keys (spec 3.1, 3.3).</summary>
/// <param name="isMultimodal">True for the layout whose text keys start with <c>language_model.</c>.</param>
internal sealed class HuggingFaceNames(bool isMultimodal)
{
    private const string LayersPrefix = "text.layers.";

    private static readonly FrozenDictionary<string, string> Globals = new Dictionary<string, string>
    {
        [ParameterNames.Embed] = "model.embed_tokens.weight",
        [ParameterNames.FinalNorm] = "model.norm.weight",
        [ParameterNames.LmHead] = "lm_head.weight",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, string> InLayer = new Dictionary<string, string>
    {
        ["attn_norm.weight"] = "input_layernorm.weight",
        ["attn.q.weight"] = "self_attn.q_proj.weight",
        ["attn.k.weight"] = "self_attn.k_proj.weight",
        ["attn.v.weight"] = "self_attn.v_proj.weight",
        ["attn.o.weight"] = "self_attn.o_proj.weight",
        ["ffn_norm.weight"] = "post_attention_layernorm.weight",
        ["moe.router.weight"] = "feed_forward.router.weight",
        ["moe.experts.gate_up"] = "feed_forward.experts.gate_up_proj",
        ["moe.experts.down"] = "feed_forward.experts.down_proj",
        ["moe.shared.gate.weight"] = "feed_forward.shared_expert.gate_proj.weight",
        ["moe.shared.up.weight"] = "feed_forward.shared_expert.up_proj.weight",
        ["moe.shared.down.weight"] = "feed_forward.shared_expert.down_proj.weight",
        ["mlp.gate.weight"] = "feed_forward.gate_proj.weight",
        ["mlp.up.weight"] = "feed_forward.up_proj.weight",
        ["mlp.down.weight"] = "feed_forward.down_proj.weight",
    }.ToFrozenDictionary();

    private readonly string _prefix = isMultimodal ? "language_model." : "";

    /// <summary>Hugging Face's key of a canonical parameter.</summary>
    public string KeyOf(string canonicalName)
    {
        if (VisionTable.Find(canonicalName) is { } vision) return vision.HuggingFace;
        if (Globals.TryGetValue(canonicalName, out var key)) return _prefix + key;
        if (canonicalName.StartsWith(LayersPrefix, StringComparison.Ordinal))
        {
            var rest = canonicalName.AsSpan(LayersPrefix.Length);
            var dot = rest.IndexOf('.');
            if (dot > 0 && InLayer.TryGetValue(rest[(dot + 1)..].ToString(), out key)) return $"{_prefix}model.layers.{rest[..dot]}.{key}";
        }
        throw new KeyNotFoundException($"Checkpoint: no name is known for parameter \"{canonicalName}\" in Hugging Face's layout.");
    }

    /// <summary>True for keys of the vision tower and projector, which a text decoder skips.</summary>
    public bool IsVision(string key) =>
        isMultimodal
        && (key.StartsWith("vision_model.", StringComparison.Ordinal) || key.StartsWith("multi_modal_projector.", StringComparison.Ordinal));
}
