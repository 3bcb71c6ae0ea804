using ActorLlama.Checkpoints.Testing;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>What is written for llama.cpp, read back by a reader of its own.</summary>
public sealed class GgufTests : IDisposable
{
    /// <summary>Four layers, dense and MoE in turn; widths that leave gaps between tensors.</summary>
    private const string Shape = """
        {
          "architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "torch_dtype": "bfloat16", "tie_word_embeddings": false,
          "hidden_size": 20, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
          "intermediate_size": 12, "intermediate_size_mlp": 28, "num_local_experts": 3, "num_experts_per_tok": 1,
          "interleave_moe_layer_step": 2, "no_rope_layer_interval": 4, "attention_chunk_size": 8192, "use_qk_norm": true, "vocab_size": 33,
          "attn_temperature_tuning": true, "floor_scale": 8192, "attn_scale": 0.1, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
          "rope_scaling": {"rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 8192},
          "max_position_embeddings": 16384, "bos_token_id": 1, "eos_token_id": [2, 3]
        }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ElementType.BFloat16, null)]
    [InlineData(ElementType.Float32, null)]
    [InlineData(ElementType.BFloat16, ElementType.Float32)]
    [InlineData(ElementType.Float32, ElementType.BFloat16)]
    public void Every_parameter_is_there_once_in_llama_cpp_s_shape(ElementType stored, ElementType? asked)
    {
        CheckpointInitializer.Write(Shape, seed: 3, _folder.PathOf("made"));
        CheckpointConverter.Run(_folder.PathOf("made"), _folder.PathOf("source"), new ConversionOptions { Layout = LayoutNames.Scanned, Type = stored });
        var gguf = Convert(new ConversionOptions { Layout = LayoutNames.Gguf, Type = asked });
        using var source = CheckpointDirectory.Open(_folder.PathOf("source"));

        var isNarrow = (asked ?? stored) == ElementType.BFloat16;
        var expected = new Dictionary<string, (long[] Sizes, float[] Values)>();
        Matrix("token_embd", "text.embed.weight");
        Vector("output_norm", "text.final_norm.weight");
        Matrix("output", "text.lm_head.weight");
        for (var layer = 0; layer < 4; layer++)
        {
            var (at, from) = ($"blk.{layer}.", $"text.layers.{layer}.");
            Vector(at + "attn_norm", from + "attn_norm.weight");
            Vector(at + "ffn_norm", from + "ffn_norm.weight");
            foreach (var (name, own) in (ReadOnlySpan<(string, string)>)[("q", "q"), ("k", "k"), ("v", "v"), ("output", "o")]) Matrix($"{at}attn_{name}", $"{from}attn.{own}.weight");
            if (layer % 2 == 0)
            {
                foreach (var name in (string[])["gate", "up", "down"]) Matrix($"{at}ffn_{name}", $"{from}mlp.{name}.weight");
                continue;
            }
            Matrix(at + "ffn_gate_inp", from + "moe.router.weight");
            foreach (var name in (string[])["gate", "up", "down"]) Matrix($"{at}ffn_{name}_shexp", $"{from}moe.shared.{name}.weight");
            Experts(at + "ffn_gate_exps", from + "moe.experts.gate_up", first: 0, outputs: 12);
            Experts(at + "ffn_up_exps", from + "moe.experts.gate_up", first: 12, outputs: 12);
            Experts(at + "ffn_down_exps", from + "moe.experts.down", first: 0, outputs: 20);
        }

        Assert.Equal(expected.Keys.Append("rope_freqs.weight").Order(), gguf.Tensors.Keys.Order());
        foreach (var (name, (sizes, values)) in expected)
        {
            var tensor = gguf.Tensors[name];
            Assert.Equal(sizes, tensor.Sizes);
            var isWide = !isNarrow || sizes.Length == 1 || name.EndsWith("gate_inp.weight", StringComparison.Ordinal);
            Assert.Equal(isWide ? 0u : 30u, tensor.Type);
            Assert.Equal(isWide ? values : [.. values.Select(Rounded)], tensor.Values());
        }
        // Pairs that turn more than once in 8192 positions are left alone, the slow ones divided by 16.
        Assert.Equal([1f, 1, 1, 16], gguf.Tensors["rope_freqs.weight"].Values());

        void Matrix(string name, string own) => Add(name, own, shape => [shape[1], shape[0]], values => values);
        void Vector(string name, string own) => Add(name, own, shape => [shape[0]], values => values);
        void Experts(string name, string own, int first, int outputs) => Add(name, own, shape => [shape[1], outputs, shape[0]], values =>
        {
            var shape = source.Get(own).Shape;
            return [.. from expert in Enumerable.Range(0, 3) from output in Enumerable.Range(first, outputs) from input in Enumerable.Range(0, (int)shape[1])
                select values[(expert * shape[1] + input) * shape[2] + output]];
        });
        void Add(string name, string own, Func<IReadOnlyList<long>, long[]> sizes, Func<float[], float[]> turn)
        {
            var tensor = source.Get(own);
            var bytes = new byte[tensor.Bytes];
            tensor.Read(0, bytes);
            expected.Add(name + ".weight", (sizes(tensor.Shape), turn(new IndependentGguf.Tensor([], tensor.Type == ElementType.Float32 ? 0u : 30, bytes).Values())));
        }
    }

    [Fact]
    public void The_metadata_say_what_llama_cpp_asks_for()
    {
        CheckpointInitializer.Write(Shape, seed: 3, _folder.PathOf("source"));
        string[] tokens = [.. Enumerable.Range(0, 33).Select(id => $"t{id}")];
        var vocabulary = new GgufVocabulary([.. tokens], [.. tokens.Select((_, id) => id < 30 ? GgufTokenKind.Normal : GgufTokenKind.Control)], [("t", "1"), ("Ġ", "t")]);
        var found = Convert(new ConversionOptions { Layout = LayoutNames.Gguf, Vocabulary = vocabulary }).Metadata;
        var expected = new Dictionary<string, object>
        {
            ["general.architecture"] = "llama4",
            ["general.name"] = "source",
            ["general.file_type"] = 32u,
            ["llama4.block_count"] = 4u,
            ["llama4.context_length"] = 16384u,
            ["llama4.embedding_length"] = 20u,
            ["llama4.vocab_size"] = 33u,
            ["llama4.feed_forward_length"] = 28u,
            ["llama4.expert_feed_forward_length"] = 12u,
            ["llama4.expert_count"] = 3u,
            ["llama4.expert_used_count"] = 1u,
            ["llama4.interleave_moe_layer_step"] = 2u,
            ["llama4.attention.head_count"] = 4u,
            ["llama4.attention.head_count_kv"] = 2u,
            ["llama4.attention.key_length"] = 8u,
            ["llama4.attention.value_length"] = 8u,
            ["llama4.attention.layer_norm_rms_epsilon"] = 1e-5f,
            ["llama4.rope.dimension_count"] = 8u,
            ["llama4.rope.freq_base"] = 500000f,
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = "llama4",
            ["tokenizer.ggml.tokens"] = tokens,
            ["tokenizer.ggml.token_type"] = Enumerable.Range(0, 33).Select(id => id < 30 ? 1 : 3),
            ["tokenizer.ggml.merges"] = (string[])["t 1", "Ġ t"],
            ["tokenizer.ggml.bos_token_id"] = 1u,
            ["tokenizer.ggml.eos_token_id"] = 2u,
        };
        Assert.Equal(expected.Keys.Order(), found.Keys.Order());
        foreach (var (key, value) in expected)
            if (value is string or uint or float) Assert.Equal(value, found[key]);
            else Assert.Equal(((System.Collections.IEnumerable)value).Cast<object>(), (List<object>)found[key]);
    }

    [Fact]
    public void The_folder_holds_the_file_and_the_terms_and_is_refused_as_a_checkpoint()
    {
        new RandomModel(4, 2, 1, HasVision: true, 8, 2, 8, 1).Write(_folder.PathOf("source"));
        var config = _folder.PathOf("source", "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"attention_chunk_size\":16", "\"attention_chunk_size\":8192", StringComparison.Ordinal));
        File.WriteAllText(_folder.PathOf("source", "LICENSE"), "terms");
        var gguf = Convert(new ConversionOptions { Layout = LayoutNames.Gguf });
        Assert.Equal("none", gguf.Metadata["tokenizer.ggml.model"]);
        Assert.DoesNotContain(gguf.Tensors.Keys, name => name.Contains("vision", StringComparison.Ordinal));
        Assert.Equal(3 + 4 * (6 + 1 + 3 + 3), gguf.Tensors.Count);
        Assert.Equal(["LICENSE", "checkpoint.json", "model.gguf"], Directory.GetFiles(_folder.PathOf("target")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        Assert.All(CheckpointChecksum.Of(_folder.PathOf("target")), file => Assert.Equal(FileVerdict.Same, file.Verdict));
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointDirectory.Open(_folder.PathOf("target")));
        Assert.Contains("\"model.gguf\"", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"attention_chunk_size\": 8192", "\"attention_chunk_size\": 128", "attention chunk \"128\"", "8192 in a context of 16384")]
    [InlineData("\"no_rope_layer_interval\": 4", "\"no_rope_layer_interval\": 2", "layers without RoPE \"1,3\"", "every 4th")]
    [InlineData("\"interleave_moe_layer_step\": 2", "\"moe_layers\": [0, 1]", "MoE layers \"0,1\"", "equal steps")]
    [InlineData("\"use_qk_norm\": true", "\"use_qk_norm\": false", "q/k norm \"off\"", "128 experts")]
    [InlineData("\"floor_scale\": 8192", "\"floor_scale\": 4096", "attention temperature \"4096 / 0.1\"", "8192 / 0.1")]
    [InlineData("\"attn_temperature_tuning\": true", "\"attn_temperature_tuning\": false", "attention temperature \"off\"", "8192 / 0.1")]
    public void A_model_that_llama_cpp_would_take_for_another_is_refused(string text, string other, params string[] parts)
    {
        CheckpointInitializer.Write(Shape.Replace(text, other, StringComparison.Ordinal), seed: 3, _folder.PathOf("source"));
        var fault = Assert.Throws<InvalidDataException>(() => Convert(new ConversionOptions { Layout = LayoutNames.Gguf }));
        Assert.All(parts, part => Assert.Contains(part, fault.Message, StringComparison.Ordinal));
        Assert.Equal([_folder.PathOf("source")], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("\"attention_chunk_size\": 8192", "\"attention_chunk_size\": 4096")]
    [InlineData("\"floor_scale\": 8192", "\"floor_scale\": 4096")]
    [InlineData("\"attn_temperature_tuning\": true", "\"attn_temperature_tuning\": false")]
    public void What_no_position_of_the_model_can_tell_apart_is_written(string text, string other)
    {
        var json = Shape.Replace("\"max_position_embeddings\": 16384", "\"max_position_embeddings\": 4095", StringComparison.Ordinal);
        CheckpointInitializer.Write(json.Replace(text, other, StringComparison.Ordinal), seed: 3, _folder.PathOf("source"));
        Assert.Equal(4095u, Convert(new ConversionOptions { Layout = LayoutNames.Gguf }).Metadata["llama4.context_length"]);
    }

    [Fact]
    public void A_tokenizer_of_another_model_is_refused_and_leaves_nothing()
    {
        CheckpointInitializer.Write(Shape, seed: 3, _folder.PathOf("source"));
        var fault = Assert.Throws<InvalidDataException>(() => Convert(new ConversionOptions { Layout = LayoutNames.Gguf, Vocabulary = new GgufVocabulary(["a"], [GgufTokenKind.Normal], []) }));
        Assert.Contains("has 1 ids, the model [33]", fault.Message, StringComparison.Ordinal);
        Assert.Equal([_folder.PathOf("source")], Directory.GetFileSystemEntries(_folder.Path));
    }

    private IndependentGguf Convert(ConversionOptions options)
    {
        CheckpointConverter.Run(_folder.PathOf("source"), _folder.PathOf("target"), options);
        return IndependentGguf.Read(_folder.PathOf("target", "model.gguf"));
    }

    private static float Rounded(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }
}
