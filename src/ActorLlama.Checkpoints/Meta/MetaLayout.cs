using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Meta's shards as canonical tensors: the merging rules of spec 3.2, in either spelling of the keys.</summary>
internal sealed class MetaLayout(MetaShards shards, LlamaConfig config, string configJson) : TensorLayout
{
    private const string LayersPrefix = "text.layers.";

    public override string Name => LayoutNames.Meta;

    public override IEnumerable<MappedFile> Files => shards.Files.Select(file => file.Source);

    public override IReadOnlyCollection<string> Keys => shards.Keys;

    public override int VisionBlocks => VisionTable.CountBlocks(Keys, VisionTable.MetaBlocksPrefix);

    public override bool IsVision(string key) => key.StartsWith("vision_", StringComparison.Ordinal);

    public override string PathOf(string key) =>
        (shards.Files.FirstOrDefault(file => file.Keys.Contains(key)) ?? shards.Files[0]).Source.Path;

    public override string KeyOf(string canonicalName) => MetaNames.KeysOf(canonicalName) is var keys && keys.Length == 1
        ? keys[0]
        : keys.FirstOrDefault(key => !Keys.Contains(key)) ?? keys[0];

    public override TensorView? Find(string canonicalName)
    {
        if (VisionTable.Find(canonicalName) is { } vision) return Merge(vision.Axis, vision.Meta, WithoutPrefix(vision.Meta)) ?? OlderForm(canonicalName);
        switch (canonicalName)
        {
            case ParameterNames.Embed: return Merge(0, "tok_embeddings.weight");
            case ParameterNames.LmHead: return Merge(0, "output.weight");
            case ParameterNames.FinalNorm: return Merge(null, "norm.weight");
        }
        var rest = canonicalName.AsSpan(LayersPrefix.Length);
        var dot = rest.IndexOf('.');
        return FindInLayer($"layers.{rest[..dot]}.", rest[(dot + 1)..].ToString());
    }

    public override void Dispose() => shards.Dispose();

    private TensorView? FindInLayer(string at, string name) => name switch
    {
        "attn_norm.weight" => Merge(null, at + "attention.wqkv.layer_norm_weight", at + "attention_norm.weight"),
        "attn.q.weight" => Rows(at, "wq", 0),
        "attn.k.weight" => Rows(at, "wk", 1),
        "attn.v.weight" => Rows(at, "wv", 2),
        "attn.o.weight" => Merge(1, at + "attention.wo.weight"),
        "ffn_norm.weight" => Merge(
            null, at + "feed_forward.norm.weight", at + "feed_forward.mlp.layer_norm_weight", at + "ffn_norm.weight"),
        "moe.router.weight" => Merge(null, at + "feed_forward.router_DE")?.Transposed(),
        "moe.experts.gate_up" => Experts(2, at + "feed_forward.experts.moe_w_in_eD_F", at + "feed_forward.experts.w1") is { } gate
            && Experts(2, at + "feed_forward.experts.moe_w_swiglu_eD_F", at + "feed_forward.experts.w3") is { } up ? TensorView.Join(2, [gate, up]) : null,
        "moe.experts.down" => Experts(1, at + "feed_forward.experts.moe_w_out_eF_D", at + "feed_forward.experts.w2"),
        "moe.shared.gate.weight" => Merge(0, at + "feed_forward.w_in_shared_FD.weight", at + "feed_forward.shared_expert.w1.weight"),
        "moe.shared.up.weight" => Merge(0, at + "feed_forward.w_swiglu_FD.weight", at + "feed_forward.shared_expert.w3.weight"),
        "moe.shared.down.weight" => Merge(1, at + "feed_forward.w_out_shared_DF.weight", at + "feed_forward.shared_expert.w2.weight"),
        "mlp.gate.weight" => Half(at, 0) ?? Merge(0, at + "feed_forward.w1.weight"),
        "mlp.up.weight" => Half(at, 1) ?? Merge(0, at + "feed_forward.w3.weight"),
        "mlp.down.weight" => Merge(1, at + "feed_forward.mlp.fc2_weight", at + "feed_forward.w2.weight"),
        _ => null,
    };

    /// <summary>The shards' tensors of the first key that exists, joined along an axis, or shard 0's where each holds all.</summary>
    private TensorView? Merge(int? axis, params ReadOnlySpan<string> keys) =>
        Shards(keys) is { } views ? axis is { } joined ? TensorView.Join(joined, views) : views[0] : null;

    private TensorView? Experts(int axis, params ReadOnlySpan<string> keys) => Shards(keys) is { } views
        ? TensorView.Join(axis, [.. views.Select(view => view.Shape.Length == 3 ? view : view.SplitFirst(config.Experts))])
        : null;

    /// <summary>Each shard's fc1 is its gate rows, then its up rows.</summary>
    private TensorView? Half(string at, int half) => Shards([at + "feed_forward.mlp.fc1_weight"]) is { } views
        ? TensorView.Join(0, [.. views.Select(view => view.SplitFirst(2).At(half))])
        : null;

    /// <summary>Each shard's wqkv is its query rows, then its key rows, then its value rows; or the three lie apart.</summary>
    private TensorView? Rows(string at, string apart, int part)
    {
        var parts = shards.Files.Length;
        var queries = (long)config.QueryHeads * config.HeadDim / parts;
        // More shards than key heads: neighbours hold copies of one head.
        var copies = Math.Max(1, parts / config.KvHeads);
        var keys = (long)config.KvHeads * config.HeadDim * copies / parts;
        var (start, rows) = part switch { 0 => (0, queries), 1 => (queries, keys), _ => (queries + keys, keys) };
        if (Shards([$"{at}attention.wqkv.weight"]) is { } views)
        {
            if (views[0].Shape is not [var all, _] || all != queries + 2 * keys)
                throw new InvalidDataException(
                    $"Checkpoint: tensor {Quote(views[0].Name)} in {Quote(PathOf(views[0].Name))} has shape {Quote(views[0].Shape)}; by the config each of {parts} "
                    + $"shards has {queries + 2 * keys} rows. Use params.json and shards of one checkpoint.");
            views = [.. views.Select(view => view.Slice(0, start, rows))];
        }
        else if (Shards([$"{at}attention.{apart}.weight"]) is { } found) views = found;
        else return null;
        return TensorView.Join(0, part == 0 ? views : [.. views.Where((_, rank) => rank % copies == 0)]);
    }

    private List<TensorView>? Shards(ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            if (shards.Find(key) is { } views)
            {
                Used.Add(key);
                return [.. views];
            }
        return null;
    }

    private TensorView? OlderForm(string canonicalName) =>
        canonicalName == VisionTable.Positions && Merge(null, ClassRowFirst.Key) is { } view ? ClassRowFirst.Turned(view, PathOf(view.Name), configJson) : null;

    /// <summary>One known list of keys leaves the prefix of the adapter out.</summary>
    private static string WithoutPrefix(string key) =>
        key.StartsWith("vision_embeddings.vision_adapter.", StringComparison.Ordinal) ? key["vision_embeddings.".Length..] : key;
}
