using System.Text.Json.Nodes;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Writes the <c>params.json</c> that comes closest to a config (spec 1.4, 1.5). It cannot say everything (the original RoPE context, the longest context,
/// explicit layer lists), so <c>config.json</c> lies beside it and is preferred; what only that one tells is listed, and asked for when it is missing.
/// </summary>
internal static class MetaParamsWriter
{
    public static string Of(LlamaConfig config, string configJson)
    {
        var interval = config.UsesRope.IndexOf(false) + 1;
        var parameters = new JsonObject
        {
            ["dim"] = config.HiddenSize,
            ["n_layers"] = config.Layers,
            ["n_heads"] = config.QueryHeads,
            ["n_kv_heads"] = config.KvHeads,
            ["head_dim"] = config.HeadDim,
            ["vocab_size"] = config.VocabSize,
            ["norm_eps"] = config.NormEps,
            ["rope_theta"] = config.RopeTheta,
            ["use_scaled_rope"] = config.RopeScaling is not null,
            ["use_qk_norm"] = config.QkNorm,
            ["attn_temperature_tuning"] = config.TemperatureTuning,
            ["floor_scale"] = config.FloorScale,
            ["attn_scale"] = config.AttnScale,
        };
        if (config.AttentionChunk is { } chunk) parameters["attention_chunk_size"] = chunk;
        if (interval > 0) parameters["nope_layer_interval"] = interval;
        if (config.RopeScaling is { } scaling)
        {
            parameters["rope_scaling_factor"] = scaling.Factor;
            parameters["rope_high_freq_factor"] = scaling.HighFreqFactor;
        }
        AddWidths(parameters, config);
        if (JsonNode.Parse(configJson)!["vision_config"] is JsonObject vision) parameters["vision_args"] = Vision(vision);
        if (MetaGaps.Of(parameters, config, configJson) is { IsEmpty: false } gaps) parameters[MetaGaps.Key] = new JsonArray([.. gaps.Select(gap => (JsonNode)gap)]);
        return parameters.ToJsonString(JsonText.Indented);
    }

    /// <summary>
    /// Hidden widths are no fields but results. Llama 4's own factors where they give them; otherwise a dense width exact by its multiplier, and an
    /// expert width by the nearest expansion.
    /// </summary>
    private static void AddWidths(JsonObject parameters, LlamaConfig config)
    {
        var step = config.IsMoe.IndexOf(true) + 1;
        var isLlama4 = config is { HiddenSize: 5120, ExpertHidden: 8192 } && (step <= 1 || config.DenseHidden == 16384);
        var basis = 8L * config.HiddenSize / 3;
        var multiplier = isLlama4 ? 1.2 : (config.DenseHidden + 0.5) / basis;
        parameters["multiple_of"] = isLlama4 ? 2048 : 1;
        parameters["ffn_dim_multiplier"] = multiplier;
        parameters["ffn_exp"] = isLlama4 ? 4.0 : Math.Ceiling(1.5 * Math.Ceiling(config.ExpertHidden / multiplier)) / config.HiddenSize;
        if (step > 0)
            parameters["moe_args"] = new JsonObject
            {
                ["num_experts"] = config.Experts,
                ["capacity_factor"] = 1.0,
                ["auto_scale_F"] = isLlama4,
                ["top_k"] = config.ExpertsPerToken,
                ["interleave_moe_layer_step"] = step,
            };
    }

    private static JsonObject Vision(JsonObject vision) => new()
    {
        ["image_size"] = Square(vision["image_size"]),
        ["patch_size"] = Square(vision["patch_size"]),
        ["dim"] = vision["hidden_size"]?.DeepClone(),
        ["n_layers"] = vision["num_hidden_layers"]?.DeepClone(),
        ["n_heads"] = vision["num_attention_heads"]?.DeepClone(),
        ["mlp_ratio"] = vision["intermediate_size"] is { } hidden && vision["hidden_size"] is { } width ? hidden.GetValue<double>() / width.GetValue<double>() : 4.0,
        ["output_dim"] = vision["vision_output_dim"]?.DeepClone(),
        ["pixel_shuffle_ratio"] = vision["pixel_shuffle_ratio"]?.DeepClone(),
    };

    private static JsonObject Square(JsonNode? size) => new() { ["height"] = size?.DeepClone(), ["width"] = size?.DeepClone() };
}
