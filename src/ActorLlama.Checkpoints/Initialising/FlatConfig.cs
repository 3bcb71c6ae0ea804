using System.Text.Json.Nodes;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>Turns any <c>config.json</c> that the reader accepts into the flat one of a text-only model (spec 1.6).</summary>
internal static class FlatConfig
{
    public static string Of(string json, ElementType type = ElementType.BFloat16)
    {
        var root = JsonNode.Parse(json)!.AsObject();
        var flat = new JsonObject
        {
            ["architectures"] = new JsonArray("Llama4ForCausalLM"),
            ["model_type"] = "llama4_text",
            ["torch_dtype"] = type == ElementType.Float32 ? "float32" : "bfloat16",
        };
        // The multimodal layout keeps this one outside.
        if (root["tie_word_embeddings"] is { } tied) flat["tie_word_embeddings"] = tied.DeepClone();
        var text = root["text_config"]?.AsObject() ?? root;
        foreach (var (key, value) in text)
            if (key is not ("architectures" or "model_type" or "torch_dtype" or "dtype")) flat[key] = value?.DeepClone();
        return flat.ToJsonString(JsonText.Indented);
    }
}
