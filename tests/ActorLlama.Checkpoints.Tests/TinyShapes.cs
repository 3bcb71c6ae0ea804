namespace ActorLlama.Checkpoints.Tests;

/// <summary>Shapes small enough that a test can make a whole checkpoint of its own.</summary>
internal static class TinyShapes
{
    /// <summary>Two layers, dense then MoE with two experts.</summary>
    public const string Flat = """
        {
          "architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "torch_dtype": "float32", "tie_word_embeddings": false,
          "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
          "intermediate_size": 12, "intermediate_size_mlp": 20, "num_local_experts": 2, "num_experts_per_tok": 1,
          "interleave_moe_layer_step": 2, "attention_chunk_size": 16, "use_qk_norm": false, "vocab_size": 32,
          "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2
        }
        """;

    /// <summary>Writes it as a checkpoint in several shards and returns its folder.</summary>
    public static string WriteSharded(string folder)
    {
        var target = Path.Combine(folder, "tiny");
        CheckpointInitializer.Write(Flat, seed: 5, target, shardBytes: 3000);
        return target;
    }

    /// <summary>Writes it as a checkpoint in one file and returns its folder.</summary>
    public static string WriteSingle(string folder)
    {
        var target = Path.Combine(folder, "tiny");
        CheckpointInitializer.Write(Flat, seed: 5, target);
        return target;
    }
}
