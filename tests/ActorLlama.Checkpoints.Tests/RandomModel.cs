using System.Collections.Immutable;
using System.Text.Json.Nodes;
using ActorLlama.Model;
using FsCheck;
using FsCheck.Fluent;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>A small model of random shape and random bytes, for tests of layouts. All sizes divide by 8, heads by <see cref="Heads"/>.</summary>
internal sealed record RandomModel(int Layers, int Experts, int MoeStep, bool HasVision, int Heads, int KvHeads, int ExpertHidden, int Seed)
{
    public static Arbitrary<RandomModel> Any() => (
        from layers in Gen.Choose(1, 6)
        from experts in Gen.Choose(1, 16)
        from step in Gen.Choose(1, 2)
        from vision in Gen.Elements(true, false)
        from heads in Gen.Elements(8, 16)
        from kvHeads in Gen.Elements(1, 2, 4, 8)
        from hidden in Gen.Elements(8, 24)
        from seed in Gen.Choose(0, 100000)
        select new RandomModel(layers, experts, step, vision, heads, kvHeads, hidden, seed)).ToArbitrary();

    /// <summary>Writes it in Hugging Face's layout, in bfloat16.</summary>
    public void Write(string folder, long shardBytes = 20000)
    {
        Directory.CreateDirectory(folder);
        var json = Config().ToJsonString();
        File.WriteAllText(Path.Combine(folder, "config.json"), json);
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """{"do_sample": true, "temperature": 0.5, "top_p": 0.75}""");
        var names = new HuggingFaceNames(HasVision);
        var shapes = ParameterTable.Of(LlamaConfigReader.Read(json).Config).Parameters.Select(p => (p.Name, p.Shape)).Concat(HasVision ? Vision() : []);
        new SafetensorsWriter(folder) { ShardBytes = shardBytes, Threads = 1 }.Write([.. shapes.Select((tensor, i) => new TensorToWrite(
            names.KeyOf(tensor.Name), "BF16", tensor.Shape, (offset, bytes) =>
            {
                var all = new byte[tensor.Shape.Aggregate(2L, (product, size) => product * size)];
                new Random(Seed + i).NextBytes(all);
                all.AsSpan((int)offset, bytes.Length).CopyTo(bytes);
            }))]);
    }

    private JsonObject Config()
    {
        var text = new JsonObject
        {
            ["model_type"] = "llama4_text",
            ["torch_dtype"] = "bfloat16",
            ["hidden_size"] = 8 * Heads,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KvHeads,
            ["head_dim"] = 8,
            ["intermediate_size"] = ExpertHidden,
            ["intermediate_size_mlp"] = 40,
            ["num_local_experts"] = Experts,
            ["interleave_moe_layer_step"] = MoeStep,
            ["vocab_size"] = 64,
            ["max_position_embeddings"] = 64,
            ["bos_token_id"] = 1,
            ["eos_token_id"] = 2,
            ["attention_chunk_size"] = 16,
        };
        if (!HasVision) return text;
        return new JsonObject
        {
            ["model_type"] = "llama4",
            ["tie_word_embeddings"] = false,
            ["text_config"] = text,
            ["vision_config"] = new JsonObject { ["hidden_size"] = 16, ["num_hidden_layers"] = 2, ["intermediate_size"] = 32, ["image_size"] = 8, ["patch_size"] = 4 },
        };
    }

    private IEnumerable<(string Name, ImmutableArray<long> Shape)> Vision() => VisionTable.Names(2).Select(name => (name, name.Split('.') switch
    {
        [_, "pos_embed"] => ImmutableArray.Create(5L, 16),
        [_, "patch", _] => [16, 48],
        [_, "adapter", "fc1", _] => [24, 64],
        [_, "adapter", "fc2", _] => [24, 24],
        [_, "projector", _] => [8L * Heads, 24],
        [.., "attn", _, "weight"] => [16, 16],
        [.., "fc1", "weight"] => [32, 16],
        [.., "fc2", "weight"] => [16, 32],
        [.., "fc1", "bias"] => [32],
        _ => ImmutableArray.Create(16L),
    }));
}
