using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Turns Meta's <c>params.json</c> (spec 1.4, 1.5) into the text of the <c>config.json</c> that says the same (spec 1.6).</summary>
internal sealed class MetaParams
{
    /// <summary>What M uses where the file has no values, which is how Scout ships (spec 1.2).</summary>
    private const double ScalingFactor = 16, HighFreqFactor = 1;

    /// <summary><c>params.json</c> does not tell the longest context: that of the base models.</summary>
    private const int MaxPositions = 262144;

    private readonly string _file;
    private readonly JsonElement _root;

    private MetaParams(string file, JsonElement root) => (_file, _root) = (file, root);

    /// <param name="path">The file.</param>
    /// <param name="vocabOfWeights">Rows of the embedding, asked for where the file leaves the vocabulary to the tokenizer.</param>
    public static string ToConfigJson(string path, Func<long> vocabOfWeights)
    {
        using var document = JsonFile.ReadObject(path);
        return ToConfigJson(path, document.RootElement, vocabOfWeights);
    }

    /// <summary>Of a text that names its vocabulary.</summary>
    public static string ToConfigJson(string file, string text)
    {
        using var document = JsonDocument.Parse(text);
        return ToConfigJson(file, document.RootElement, () => 0);
    }

    private static string ToConfigJson(string file, JsonElement root, Func<long> vocabOfWeights)
    {
        if (root.TryGetProperty(MetaGaps.Key, out var gaps) && gaps.ValueKind == JsonValueKind.Array && gaps.GetArrayLength() > 0)
            throw new InvalidDataException(
                $"Checkpoint: {Quote(file)} cannot say all of this model: only {Quote(CheckpointDirectory.ConfigFile)}, which is missing, tells {string.Join(", ", gaps.EnumerateArray().Select(gap => Quote(gap.ToString())))}. "
                + "Copy it from where the checkpoint was written.");
        if (root.TryGetProperty("model", out var nested) && nested.ValueKind == JsonValueKind.Object) root = nested;
        return new MetaParams(file, root).Convert(vocabOfWeights).ToJsonString(JsonText.Indented);
    }

    private JsonObject Convert(Func<long> vocabOfWeights)
    {
        var vocab = Whole("vocab_size", -1);
        if (vocab == -1) vocab = vocabOfWeights();
        var text = Text(vocab);
        if (Section("vision_args") is not { } vision)
        {
            text["architectures"] = new JsonArray("Llama4ForCausalLM");
            return text;
        }
        return new JsonObject
        {
            ["architectures"] = new JsonArray("Llama4ForConditionalGeneration"),
            ["model_type"] = "llama4",
            ["boi_token_index"] = IdOf(vocab, 80, 20),
            ["eoi_token_index"] = IdOf(vocab, 81, 21),
            ["image_token_index"] = IdOf(vocab, 92, 28),
            ["tie_word_embeddings"] = false,
            ["torch_dtype"] = "bfloat16",
            ["text_config"] = text,
            ["vision_config"] = vision.Vision(),
        };
    }

    private JsonObject Text(long vocab)
    {
        var (dim, layers, heads) = (Whole("dim"), Whole("n_layers"), Whole("n_heads"));
        if (heads < 1 || dim % heads != 0) throw Fault("n_heads", $"it must divide \"dim\" {dim}.");
        var moe = Section("moe_args");
        var step = moe?.Whole("interleave_moe_layer_step", 1) ?? 1;
        var interval = Whole("nope_layer_interval", 0);
        var text = new JsonObject
        {
            ["model_type"] = "llama4_text",
            ["torch_dtype"] = "bfloat16",
            ["tie_word_embeddings"] = false,
            ["vocab_size"] = vocab,
            ["hidden_size"] = dim,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = Whole("n_kv_heads", heads),
            ["head_dim"] = dim / heads,
            ["hidden_act"] = "silu",
            ["intermediate_size"] = moe is { } args ? ExpertHidden(dim, args) : DenseHidden(dim),
            ["intermediate_size_mlp"] = DenseHidden(dim),
            ["num_local_experts"] = moe?.Whole("num_experts") ?? 1,
            ["num_experts_per_tok"] = moe?.Whole("top_k", 1) ?? 1,
            ["interleave_moe_layer_step"] = step,
            ["moe_layers"] = moe is null ? new JsonArray() : Layers(layers, layer => (layer + 1) % step == 0),
            ["no_rope_layers"] = new JsonArray([.. Enumerable.Range(0, (int)layers).Select(layer => (JsonNode)(interval > 0 && (layer + 1) % interval == 0 ? 0 : 1))]),
            ["attention_chunk_size"] = Find("attention_chunk_size") is null ? null : Whole("attention_chunk_size"),
            ["rms_norm_eps"] = Number("norm_eps", 1e-5),
            ["rope_theta"] = Number("rope_theta", 500000),
            ["rope_scaling"] = Flag("use_scaled_rope", false) ? Scaling() : null,
            ["use_qk_norm"] = Flag("use_qk_norm", false),
            ["attn_temperature_tuning"] = Flag("attn_temperature_tuning", false),
            ["floor_scale"] = Number("floor_scale", 8192),
            ["attn_scale"] = Number("attn_scale", 0.1),
            ["max_position_embeddings"] = MaxPositions,
            ["bos_token_id"] = IdOf(vocab, 0, 0),
            ["eos_token_id"] = new JsonArray(IdOf(vocab, 1, 1), IdOf(vocab, 7, 7), IdOf(vocab, 8, 8)),
            ["pad_token_id"] = IdOf(vocab, 18, 18),
        };
        if (interval > 0) text["no_rope_layer_interval"] = interval;
        return text;
    }

    private JsonObject Scaling() => new()
    {
        ["rope_type"] = "llama3",
        ["factor"] = Number("rope_scaling_factor", ScalingFactor),
        ["low_freq_factor"] = 1.0,
        ["high_freq_factor"] = Number("rope_high_freq_factor", HighFreqFactor),
        ["original_max_position_embeddings"] = 8192,
    };

    private JsonObject Vision()
    {
        var (dim, output) = (Whole("dim"), Whole("output_dim"));
        return new JsonObject
        {
            ["model_type"] = "llama4_vision_model",
            ["hidden_size"] = dim,
            ["hidden_act"] = "gelu",
            ["num_hidden_layers"] = Whole("n_layers"),
            ["num_attention_heads"] = Whole("n_heads"),
            ["num_channels"] = 3,
            ["intermediate_size"] = (long)(Number("mlp_ratio", 4) * dim),
            ["vision_output_dim"] = output,
            ["image_size"] = Side("image_size"),
            ["patch_size"] = Side("patch_size"),
            ["norm_eps"] = 1e-5,
            ["vision_feature_layer"] = -1,
            ["vision_feature_select_strategy"] = "default",
            ["pixel_shuffle_ratio"] = Number("pixel_shuffle_ratio", 0.5),
            ["projector_input_dim"] = output,
            ["projector_output_dim"] = output,
            ["multi_modal_projector_bias"] = false,
            ["rope_theta"] = 10000,
        };
    }

    /// <summary>Truncating integer arithmetic; every step matters (spec 1.4).</summary>
    private long ExpertHidden(long dim, MetaParams moe)
    {
        var hidden = (long)(Number("ffn_exp", 4) * dim);
        hidden = Scaled(2 * hidden / 3);
        if (moe.Flag("auto_scale_F", true)) hidden = (long)(hidden / (moe.Number("capacity_factor", 1) + 1));
        return RoundUp(hidden);
    }

    private long DenseHidden(long dim) => RoundUp(Scaled(2 * (4 * dim) / 3));

    private long Scaled(long hidden) => Find("ffn_dim_multiplier") is null ? hidden : (long)(Number("ffn_dim_multiplier", 1) * hidden);

    private long RoundUp(long hidden)
    {
        var multiple = Whole("multiple_of", 256);
        if (multiple < 1) throw Fault("multiple_of", "it must be at least 1.");
        return (hidden + multiple - 1) / multiple * multiple;
    }

    private long Side(string key)
    {
        var size = Section(key) ?? throw Fault(key, "an object of height and width is needed.");
        var (height, width) = (size.Whole("height"), size.Whole("width"));
        return height == width ? height : throw Fault(key, "height and width must be equal.");
    }

    private static JsonArray Layers(long layers, Func<int, bool> isIn) =>
        new([.. Enumerable.Range(0, (int)layers).Where(isIn).Select(layer => (JsonNode)layer)]);

    /// <summary>
    /// The id of a special token: the last 2,048 ids are special (spec 5.2); of a vocabulary too small for that, the last 32 with the places given.
    /// </summary>
    private static long IdOf(long vocab, int place, int smallPlace) => vocab > 4096 ? vocab - 2048 + place : Math.Clamp(vocab - 32 + smallPlace, 0, vocab - 1);

    private JsonElement? Find(string key) => _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private MetaParams? Section(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } section => new MetaParams(_file, section),
        _ => throw Fault(key, "it must be an object."),
    };

    private long Whole(string key, long? otherwise = null) => Find(key) switch
    {
        null => otherwise ?? throw Fault(key, "a whole number is needed."),
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt64(out var whole) && Math.Abs(whole) <= int.MaxValue => whole,
        _ => throw Fault(key, "it must be a whole number below 2147483648."),
    };

    private double Number(string key, double otherwise) => Find(key) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => throw Fault(key, "it must be a finite number."),
    };

    private bool Flag(string key, bool otherwise) => Find(key) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Fault(key, "it must be true or false."),
    };

    private InvalidDataException Fault(string key, string rule) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"Checkpoint: {Quote(key)} in {Quote(_file)} {(Find(key) is { } value ? $"is {Quote(value.GetRawText())}" : "is missing")}; {rule} Download the file again."));
}
