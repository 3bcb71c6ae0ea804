using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Model;

/// <summary>
/// Reads a Hugging Face <c>config.json</c> (spec 1.6): the multimodal layout with <c>text_config</c>, or the flat text-only one. Every
/// fault is an <see cref="InvalidDataException"/> of one line. Keys that do not change the text decoder's maths are ignored.
/// </summary>
public static class LlamaConfigReader
{
    private const string TextType = "llama4_text";
    private const string MultimodalType = "llama4";

    /// <param name="json">The file's text.</param>
    /// <param name="file">The file's name, for messages.</param>
    public static ConfigReading Read(string json, string file = "config.json")
    {
        using var document = Parse(json, file);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"Config: \"{file}\" holds no JSON object. Use the config.json that belongs to the checkpoint.");
        var root = new ConfigSection(document.RootElement, "", file);
        var (text, isMultimodal) = TextSection(root, file);
        var warnings = ImmutableArray.CreateBuilder<string>();
        return new ConfigReading(ReadText(text, root, file, warnings), isMultimodal, warnings.ToImmutable());
    }

    private static JsonDocument Parse(string json, string file)
    {
        if (json.AsSpan().TrimStart().StartsWith("<"))
            throw new InvalidDataException(
                $"Config: \"{file}\" holds a web page (HTML), not JSON: a download saved an error or log-in page. Download the file again.");
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException(
                $"Config: \"{file}\" is not JSON at line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}. Download the file again.");
        }
    }

    private static (ConfigSection Text, bool IsMultimodal) TextSection(ConfigSection root, string file)
    {
        var type = root.Text("model_type");
        if (type is not (null or MultimodalType or TextType))
            throw root.Fault("model_type", $"it must be \"{MultimodalType}\" or \"{TextType}\": only Llama 4 models run here.");
        if (root.Section("text_config") is { } section)
        {
            if (section.Text("model_type") is not (null or TextType)) throw section.Fault("model_type", $"it must be \"{TextType}\".");
            return (section, true);
        }
        var isFlat = type == TextType || (root.TextList("architectures")?.Contains("Llama4ForCausalLM") ?? false);
        return isFlat
            ? (root, false)
            : throw new InvalidDataException(
                $"Config: \"{file}\" has neither \"text_config\" nor the flat layout of a text model (\"model_type\": \"{TextType}\"). "
                + "Use the config.json that belongs to the checkpoint.");
    }

    private static LlamaConfig ReadText(ConfigSection text, ConfigSection root, string file, ImmutableArray<string>.Builder warnings)
    {
        text.RequireAll(
            "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size", "vocab_size",
            "max_position_embeddings", "bos_token_id", "eos_token_id");
        if (text.Text("hidden_act") is not (null or "silu")) throw text.Fault("hidden_act", "only \"silu\" is supported.");
        if (text.Flag("attention_bias", false)) throw text.Fault("attention_bias", "only false is supported: Llama 4 has no attention bias.");

        var layers = text.Count("num_hidden_layers");
        var isMoe = LayerPattern.Moe(text, layers);
        var usesRope = LayerPattern.Rope(text, layers);
        var chunk = text.IsNull("attention_chunk_size") ? (int?)null : text.Count("attention_chunk_size", 8192);
        LayerPattern.CheckTypes(text, usesRope, chunk);
        var hidden = text.Count("hidden_size");
        var heads = text.Count("num_attention_heads");
        var expertHidden = text.Count("intermediate_size");
        var (theta, scaling) = RopeSettings.Read(text);
        if (scaling is { Factor: 8, HighFreqFactor: 4 })
            warnings.Add(
                $"Config: \"{file}\" has RoPE scaling with factor 8 and high_freq_factor 4, as the first Llama 4 Scout files had; "
                + "the published weights want 16 and 1 (spec 1.2). Take the current config.json if this is Scout.");

        var config = new LlamaConfig
        {
            Layers = layers,
            HiddenSize = hidden,
            QueryHeads = heads,
            KvHeads = text.Count("num_key_value_heads"),
            HeadDim = text.Find("head_dim") is null && hidden % heads != 0
                ? throw text.Fault("num_attention_heads", $"without \"head_dim\" it must divide \"hidden_size\" {hidden}.")
                : text.Count("head_dim", hidden / heads),
            ExpertHidden = expertHidden,
            // Scout has no dense layer, and its files disagree about this number (spec 9.19): needed only where a dense layer is.
            DenseHidden = text.Count("intermediate_size_mlp", isMoe.Contains(false) ? null : expertHidden),
            Experts = text.Count("num_local_experts", isMoe.Contains(true) ? null : 1),
            ExpertsPerToken = text.Count("num_experts_per_tok", 1),
            VocabSize = text.Count("vocab_size"),
            MaxPositions = text.Count("max_position_embeddings"),
            AttentionChunk = chunk,
            NormEps = text.Positive("rms_norm_eps", 1e-5),
            RopeTheta = theta,
            RopeScaling = scaling,
            QkNorm = text.Flag("use_qk_norm", true),
            TemperatureTuning = text.Flag("attn_temperature_tuning", true),
            FloorScale = text.Positive("floor_scale", 8192),
            AttnScale = text.Number("attn_scale", 0.1),
            UsesRope = usesRope,
            IsMoe = isMoe,
            TieEmbeddings = (text.Find("tie_word_embeddings") is null ? root : text).Flag("tie_word_embeddings", false),
            BosId = text.Whole("bos_token_id"),
            EosIds = text.WholeList("eos_token_id")!.Value,
            PadId = text.Whole("pad_token_id", -1) is var pad && pad == -1 ? null : pad,
        };
        Check(config, text);
        return config;
    }

    private static void Check(LlamaConfig config, ConfigSection text)
    {
        if (config.QueryHeads % config.KvHeads != 0)
            throw text.Fault("num_attention_heads", $"it must be a multiple of \"num_key_value_heads\" {config.KvHeads}.");
        if (config.HeadDim % 2 != 0)
            throw text.Fault("head_dim", $"a head's width ({config.HeadDim}) must be even: RoPE turns pairs.");
        if (config.ExpertsPerToken > config.Experts)
            throw text.Fault("num_experts_per_tok", $"there are only {config.Experts} experts (\"num_local_experts\").");
        CheckId("bos_token_id", config.BosId);
        foreach (var id in config.EosIds) CheckId("eos_token_id", id);
        if (config.PadId is { } pad) CheckId("pad_token_id", pad);

        void CheckId(string key, int id)
        {
            if (id < 0 || id >= config.VocabSize)
                throw text.Fault(key, $"an id must be at least 0 and below \"vocab_size\" {config.VocabSize}.");
        }
    }
}
