using System.Collections.Frozen;

namespace ActorLlama.Checkpoints;

/// <summary>Names of the vision tower's tensors in every layout, and how Meta's shards divide them (spec 3.1 to 3.3).</summary>
internal static class VisionTable
{
    public const string Prefix = "vision.";
    public const string BlocksPrefix = "vision.blocks.";
    public const string HuggingFaceBlocksPrefix = "vision_model.model.layers.";
    public const string MetaBlocksPrefix = "vision_embeddings.vision_encoder.transformer.resblocks.";

    public const string Positions = "vision.pos_embed";

    private const string MetaEncoder = "vision_embeddings.vision_encoder.";

    private static readonly VisionName[] Globals =
    [
        new("vision.class_embed", "vision_model.class_embedding", MetaEncoder + "class_embedding", null),
        new(Positions, "vision_model.positional_embedding_vlm", MetaEncoder + "positional_embedding_vlm", null),
        new("vision.patch.weight", "vision_model.patch_embedding.linear.weight", MetaEncoder + "conv1._linear.weight", 0),
        new("vision.ln_pre.weight", "vision_model.layernorm_pre.weight", MetaEncoder + "ln_pre.weight", null),
        new("vision.ln_pre.bias", "vision_model.layernorm_pre.bias", MetaEncoder + "ln_pre.bias", null),
        new("vision.ln_post.weight", "vision_model.layernorm_post.weight", MetaEncoder + "ln_post.weight", null),
        new("vision.ln_post.bias", "vision_model.layernorm_post.bias", MetaEncoder + "ln_post.bias", null),
        new("vision.adapter.fc1.weight", "vision_model.vision_adapter.mlp.fc1.weight", "vision_embeddings.vision_adapter.mlp.c_fc.weight", 0),
        new("vision.adapter.fc2.weight", "vision_model.vision_adapter.mlp.fc2.weight", "vision_embeddings.vision_adapter.mlp.c_proj.weight", 1),
        new("vision.projector.weight", "multi_modal_projector.linear_1.weight", "vision_projection.weight", 0),
    ];

    private static readonly VisionName[] InBlock =
    [
        new("ln1.weight", "input_layernorm.weight", "ln_1.weight", null),
        new("ln1.bias", "input_layernorm.bias", "ln_1.bias", null),
        new("ln2.weight", "post_attention_layernorm.weight", "ln_2.weight", null),
        new("ln2.bias", "post_attention_layernorm.bias", "ln_2.bias", null),
        new("attn.q.weight", "self_attn.q_proj.weight", "attn.wq.weight", 0),
        new("attn.q.bias", "self_attn.q_proj.bias", "attn.wq.bias", 0),
        new("attn.k.weight", "self_attn.k_proj.weight", "attn.wk.weight", 0),
        new("attn.k.bias", "self_attn.k_proj.bias", "attn.wk.bias", 0),
        new("attn.v.weight", "self_attn.v_proj.weight", "attn.wv.weight", 0),
        new("attn.v.bias", "self_attn.v_proj.bias", "attn.wv.bias", 0),
        new("attn.o.weight", "self_attn.o_proj.weight", "attn.wo.weight", 1),
        new("attn.o.bias", "self_attn.o_proj.bias", "attn.wo.bias", null),
        new("mlp.fc1.weight", "mlp.fc1.weight", "mlp.c_fc.weight", 0),
        new("mlp.fc1.bias", "mlp.fc1.bias", "mlp.c_fc.bias", 0),
        new("mlp.fc2.weight", "mlp.fc2.weight", "mlp.c_proj.weight", 1),
        new("mlp.fc2.bias", "mlp.fc2.bias", "mlp.c_proj.bias", null),
    ];

    private static readonly FrozenDictionary<string, VisionName> GlobalByName = Globals.ToFrozenDictionary(name => name.Canonical);
    private static readonly FrozenDictionary<string, VisionName> InBlockByName = InBlock.ToFrozenDictionary(name => name.Canonical);

    /// <summary>Canonical names of a tower of that many blocks, in forward order.</summary>
    public static IEnumerable<string> Names(int blocks) => Globals[..5].Select(name => name.Canonical)
        .Concat(Enumerable.Range(0, blocks).SelectMany(block => InBlock, (block, name) => $"{BlocksPrefix}{block}.{name.Canonical}"))
        .Concat(Globals[5..].Select(name => name.Canonical));

    /// <summary>The names of a canonical vision tensor; null when it is none.</summary>
    public static VisionName? Find(string canonicalName)
    {
        if (GlobalByName.TryGetValue(canonicalName, out var found)) return found;
        if (!canonicalName.StartsWith(BlocksPrefix, StringComparison.Ordinal)) return null;
        var rest = canonicalName.AsSpan(BlocksPrefix.Length);
        var dot = rest.IndexOf('.');
        return dot > 0 && InBlockByName.TryGetValue(rest[(dot + 1)..].ToString(), out var name)
            ? new VisionName(
                canonicalName, $"{HuggingFaceBlocksPrefix}{rest[..dot]}.{name.HuggingFace}", $"{MetaBlocksPrefix}{rest[..dot]}.{name.Meta}", name.Axis)
            : null;
    }

    /// <summary>Blocks that keys of the form <paramref name="prefix"/> + number + <c>.…</c> speak of.</summary>
    public static int CountBlocks(IEnumerable<string> keys, string prefix)
    {
        var count = 0;
        foreach (var key in keys)
        {
            if (!key.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var rest = key.AsSpan(prefix.Length);
            var dot = rest.IndexOf('.');
            // No tower is deeper than this; a larger number is a broken name, reported as unknown.
            if (dot > 0 && ushort.TryParse(rest[..dot], out var block)) count = Math.Max(count, block + 1);
        }
        return count;
    }

    /// <summary>One vision tensor.</summary>
    /// <param name="Canonical">Our name.</param>
    /// <param name="HuggingFace">Hugging Face's key.</param>
    /// <param name="Meta">Meta's key.</param>
    /// <param name="Axis">The axis that Meta's shards divide; null where each holds all.</param>
    internal sealed record VisionName(string Canonical, string HuggingFace, string Meta, int? Axis);
}
