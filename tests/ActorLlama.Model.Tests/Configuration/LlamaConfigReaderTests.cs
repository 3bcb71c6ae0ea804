using System.Text.Json.Nodes;
using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

public sealed class LlamaConfigReaderTests
{
    private static JsonObject Flat() => JsonNode.Parse(File.ReadAllText(Path.Combine(ModelShapes.Folder, "tiny-scout.json")))!.AsObject();

    private static ConfigReading Read(Action<JsonObject> change)
    {
        var json = Flat();
        change(json);
        return LlamaConfigReader.Read(json.ToJsonString());
    }

    [Fact]
    public void Flat_and_multimodal_layouts_read_the_same()
    {
        var flat = Read(_ => { });
        var text = Flat();
        text.Remove("tie_word_embeddings");
        var multimodal = LlamaConfigReader.Read(new JsonObject
        {
            ["model_type"] = "llama4",
            ["tie_word_embeddings"] = false,
            ["text_config"] = text,
            ["vision_config"] = new JsonObject(),
        }.ToJsonString());
        Assert.False(flat.IsMultimodal);
        Assert.True(multimodal.IsMultimodal);
        Assert.Equal(Show(flat.Config), Show(multimodal.Config));
    }

    [SharedTheory]
    [InlineData("fixtures/tiny-scout", "tiny-scout")]
    [InlineData("fixtures/tiny-maverick", "tiny-maverick")]
    [InlineData("data/bard", "bard")]
    public void A_checkpoint_s_config_equals_its_shape_file(string folder, string shape)
    {
        var reading = LlamaConfigReader.Read(File.ReadAllText(Path.Combine(Shared.PathOf(folder.Split('/')), "config.json")));
        Assert.Equal(Show(ModelShapes.Read(shape)), Show(reading.Config));
    }

    [Fact]
    public void Layers_follow_interval_and_step_when_no_list_is_given()
    {
        var config = ModelShapes.Read("llama4-17b-128e");
        Assert.Equal([3, 7, 11, 15, 19, 23, 27, 31, 35, 39, 43, 47], Enumerable.Range(0, 48).Where(layer => !config.UsesRope[layer]));
        Assert.Equal(Enumerable.Range(0, 24).Select(i => 2 * i + 1), Enumerable.Range(0, 48).Where(layer => config.IsMoe[layer]));
        Assert.Equal(8192, config.ChunkOf(2));
        Assert.Null(config.ChunkOf(3));
    }

    [Fact]
    public void No_rope_layers_1_means_rope()
    {
        var config = Read(json => json["no_rope_layers"] = new JsonArray(0, 1, 0, 1, 1, 1, 1, 1)).Config;
        Assert.Equal([false, true, false, true, true, true, true, true], config.UsesRope.AsEnumerable());
    }

    [Fact]
    public void Listed_moe_layers_win_over_the_step()
    {
        var config = Read(json => json["moe_layers"] = new JsonArray(2, 5)).Config;
        Assert.Equal([2, 5], Enumerable.Range(0, 8).Where(layer => config.IsMoe[layer]));
    }

    [Fact]
    public void Null_chunk_means_no_chunk_mask_and_a_missing_one_8192()
    {
        Assert.Null(Read(json => json["attention_chunk_size"] = null).Config.AttentionChunk);
        Assert.Equal(8192, Read(json => json.Remove("attention_chunk_size")).Config.AttentionChunk);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("4", true)]
    [InlineData("false", false)]
    [InlineData("0", false)]
    [InlineData("null", true)]
    [InlineData(null, true)]
    public void Temperature_tuning_is_on_unless_said_otherwise(string? value, bool expected)
    {
        var config = Read(json =>
        {
            json.Remove("attn_temperature_tuning");
            if (value is not null) json["attn_temperature_tuning"] = JsonNode.Parse(value);
        }).Config;
        Assert.Equal(expected, config.TemperatureTuning);
    }

    [Fact]
    public void Rope_scaling_reads_in_old_and_new_spelling()
    {
        var expected = new RopeScaling(16, 1, 1, 8192);
        const string scaling = """{ "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 8192, """;
        foreach (var (key, rest) in new[]
        {
            ("rope_scaling", """ "rope_type": "llama3" }"""),
            ("rope_scaling", """ "type": "llama3" }"""),
            ("rope_parameters", """ "rope_type": "llama3", "rope_theta": 10000.0 }"""),
        })
        {
            var config = Read(json =>
            {
                json.Remove("rope_scaling");
                json[key] = JsonNode.Parse(scaling + rest);
            }).Config;
            Assert.Equal(expected, config.RopeScaling);
            Assert.Equal(key == "rope_parameters" ? 10000 : 500000, config.RopeTheta);
        }
    }

    [Theory]
    [InlineData("""{ "rope_type": "default" }""")]
    [InlineData("""{ "type": "default", "rope_theta": 500000 }""")]
    [InlineData("null")]
    public void Default_rope_has_no_scaling(string value) =>
        Assert.Null(Read(json => json["rope_scaling"] = JsonNode.Parse(value)).Config.RopeScaling);

    [Fact]
    public void Eos_may_be_one_id_or_a_list()
    {
        Assert.Equal([481], Read(json => json["eos_token_id"] = 481).Config.EosIds.AsEnumerable());
        Assert.Equal([481, 487, 488], Read(_ => { }).Config.EosIds.AsEnumerable());
    }

    [Fact]
    public void Head_width_defaults_to_hidden_over_heads() =>
        Assert.Equal(16, Read(json => json.Remove("head_dim")).Config.HeadDim);

    [Fact]
    public void Scaling_8_4_is_honoured_with_a_warning()
    {
        var reading = Read(json => json["rope_scaling"]!["factor"] = 8.0);
        Assert.Equal(8, reading.Config.RopeScaling!.Factor);
        Assert.Contains("16 and 1", Assert.Single(reading.Warnings), StringComparison.Ordinal);
        Assert.Empty(Read(_ => { }).Warnings);
    }

    public static TheoryData<string, string, string[]> Faults => new()
    {
        { "interleave_moe_layer_step", "0", ["is 0", "at least 1"] },
        { "num_attention_heads", "7", ["is 7", "multiple of \"num_key_value_heads\" 2"] },
        { "hidden_size", "-5", ["is -5", "at least 1"] },
        { "hidden_size", "\"128\"", ["is \"128\"", "whole number"] },
        { "num_hidden_layers", "1.5", ["is 1.5", "whole number"] },
        { "vocab_size", "99999999999", ["is 99999999999", "below 2147483648"] },
        { "attention_bias", "true", ["is true", "no attention bias"] },
        { "hidden_act", "\"gelu\"", ["is \"gelu\"", "only \"silu\""] },
        { "head_dim", "15", ["is 15", "must be even"] },
        { "num_experts_per_tok", "5", ["is 5", "only 4 experts"] },
        { "model_type", "\"mixtral\"", ["is \"mixtral\"", "only Llama 4"] },
        { "moe_layers", "[0, 8]", ["layer 8 does not exist", "8 layers"] },
        { "no_rope_layers", "[1, 0]", ["2 entries for 8 layers"] },
        { "no_rope_layers", "[1, 0, 2, 1, 1, 1, 1, 1]", ["must be 1 (RoPE) or 0"] },
        { "no_rope_layer_interval", "0", ["is 0", "at least 1"] },
        { "attention_chunk_size", "0", ["is 0", "at least 1"] },
        { "rms_norm_eps", "0", ["is 0", "above 0"] },
        { "eos_token_id", "[481, 512]", ["[481,512]", "below \"vocab_size\" 512"] },
        { "bos_token_id", "-1", ["is -1", "at least 0"] },
        { "rope_scaling", """{ "rope_type": "yarn" }""", ["\"rope_scaling.rope_type\"", "is \"yarn\"", "\"llama3\" or \"default\""] },
        { "rope_scaling", """{ "rope_type": "llama3", "factor": 16 }""", ["\"rope_scaling.low_freq_factor\"", "\"rope_scaling.high_freq_factor\""] },
        { "layer_types", """["full_attention"]""", ["1 entries for 8 layers"] },
        { "use_qk_norm", "\"yes\"", ["is \"yes\"", "true or false"] },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_names_key_value_and_rule(string key, string value, string[] parts)
    {
        var fault = Assert.Throws<InvalidDataException>(() => Read(json => json[key] = JsonNode.Parse(value)));
        Assert.Contains(key, fault.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", fault.Message, StringComparison.Ordinal);
        foreach (var part in parts) Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', fault.Message);
    }

    [Fact]
    public void Missing_keys_are_all_named()
    {
        var fault = Assert.Throws<InvalidDataException>(() => Read(json =>
        {
            json.Remove("hidden_size");
            json.Remove("eos_token_id");
        }));
        Assert.Contains("lacks \"hidden_size\", \"eos_token_id\"", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dense_layer_needs_its_width_and_an_moe_layer_its_experts()
    {
        var dense = Assert.Throws<InvalidDataException>(() => Read(json =>
        {
            json["interleave_moe_layer_step"] = 2;
            json.Remove("intermediate_size_mlp");
        }));
        Assert.Contains("\"intermediate_size_mlp\" in \"config.json\" is missing", dense.Message, StringComparison.Ordinal);
        var experts = Assert.Throws<InvalidDataException>(() => Read(json => json.Remove("num_local_experts")));
        Assert.Contains("\"num_local_experts\" in \"config.json\" is missing", experts.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Layer_types_that_contradict_rope_are_refused()
    {
        var types = Enumerable.Range(0, 8).Select(layer => (JsonNode?)(layer == 3 || layer == 7 ? "full_attention" : "chunked_attention")).ToArray();
        Assert.Equal(8, Read(json => json["layer_types"] = new JsonArray([.. types.Select(type => type!.DeepClone())])).Config.Layers);
        types[2] = "full_attention";
        var fault = Assert.Throws<InvalidDataException>(() => Read(json => json["layer_types"] = new JsonArray(types)));
        Assert.Contains("layer 2 uses RoPE", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<!DOCTYPE html><html></html>", "HTML")]
    [InlineData("\n  <html>", "HTML")]
    [InlineData("", "not JSON at line 1")]
    [InlineData("{ \"a\": 1,\n }", "not JSON at line 2")]
    [InlineData("[1]", "no JSON object")]
    [InlineData("{}", "neither \"text_config\" nor the flat layout")]
    [InlineData("""{ "model_type": "llama4" }""", "neither \"text_config\" nor the flat layout")]
    [InlineData("""{ "text_config": { "model_type": "llama" } }""", "\"text_config.model_type\"")]
    [InlineData("""{ "text_config": 3 }""", "must be an object")]
    public void A_file_that_is_no_llama_4_config_is_refused(string json, string part)
    {
        var fault = Assert.Throws<InvalidDataException>(() => LlamaConfigReader.Read(json));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', fault.Message);
    }

    private static string Show(LlamaConfig config) =>
        $"{config with { UsesRope = [], IsMoe = [], EosIds = [] }} rope {string.Join(',', config.UsesRope)} moe {string.Join(',', config.IsMoe)} "
        + $"eos {string.Join(',', config.EosIds)}";
}
