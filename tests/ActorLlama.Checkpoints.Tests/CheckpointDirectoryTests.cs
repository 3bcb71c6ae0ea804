using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed unsafe class CheckpointDirectoryTests
{
    public static TheoryData<string> Directories => new("fixtures/tiny-scout", "fixtures/tiny-maverick", "data/bard");

    [SharedTheory, MemberData(nameof(Directories))]
    public void Every_parameter_has_the_bytes_of_its_tensor(string directory)
    {
        using var checkpoint = CheckpointDirectory.Open(Shared.PathOf(directory));
        var tensors = IndependentSafetensors.ReadModel(checkpoint.Path);
        var prefix = directory.StartsWith("fixtures", StringComparison.Ordinal) ? "language_model." : "";
        foreach (var parameter in ParameterTable.Of(checkpoint.Config).Parameters)
        {
            var stored = checkpoint.Get(parameter.Name);
            Assert.StartsWith(prefix, stored.Name);
            Assert.Equal(parameter.Shape.ToArray(), stored.Shape.ToArray());
            Assert.Equal(ElementType.BFloat16, stored.Type);
            Assert.True(StoredBytes.Of(stored).SequenceEqual(tensors[stored.Name]), stored.Name);
        }
    }

    /// <summary>Keys spelled out by hand, so that a wrong name map cannot agree with itself.</summary>
    [SharedTheory]
    [InlineData("fixtures/tiny-scout", ParameterNames.Embed, "language_model.model.embed_tokens.weight")]
    [InlineData("fixtures/tiny-scout", ParameterNames.LmHead, "language_model.lm_head.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.7.attn_norm.weight", "language_model.model.layers.7.input_layernorm.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.7.ffn_norm.weight", "language_model.model.layers.7.post_attention_layernorm.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.3.attn.k.weight", "language_model.model.layers.3.self_attn.k_proj.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.3.attn.v.weight", "language_model.model.layers.3.self_attn.v_proj.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.5.moe.router.weight", "language_model.model.layers.5.feed_forward.router.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.5.moe.shared.up.weight", "language_model.model.layers.5.feed_forward.shared_expert.up_proj.weight")]
    [InlineData("fixtures/tiny-scout", "text.layers.5.moe.experts.gate_up", "language_model.model.layers.5.feed_forward.experts.gate_up_proj")]
    [InlineData("fixtures/tiny-scout", "text.layers.5.moe.experts.down", "language_model.model.layers.5.feed_forward.experts.down_proj")]
    [InlineData("fixtures/tiny-maverick", "text.layers.0.mlp.gate.weight", "language_model.model.layers.0.feed_forward.gate_proj.weight")]
    [InlineData("fixtures/tiny-maverick", "text.layers.0.mlp.down.weight", "language_model.model.layers.0.feed_forward.down_proj.weight")]
    [InlineData("data/bard", ParameterNames.FinalNorm, "model.norm.weight")]
    [InlineData("data/bard", "text.layers.0.attn.o.weight", "model.layers.0.self_attn.o_proj.weight")]
    public void Canonical_names_lead_to_the_keys_of_their_layout(string directory, string canonical, string key)
    {
        using var checkpoint = CheckpointDirectory.Open(Shared.PathOf(directory));
        Assert.Equal(key, checkpoint.Get(canonical).Name);
    }

    [SharedFact]
    public void An_expert_is_a_slice_of_its_tensor()
    {
        using var checkpoint = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        var whole = checkpoint.Get(ParameterNames.ExpertsDown(2));
        using var all = whole.Hold(0, 4, 0, 128);
        using var held = whole.Hold(3, 1, 0, 128);
        Assert.Equal((128, 0), (held.RowStride, held.CopiedBytes));
        Assert.Equal(all[0] + 3 * 96 * 128 * 2, held[3]);
        var bytes = IndependentSafetensors.ReadModel(checkpoint.Path)[whole.Name].AsSpan(3 * 96 * 128 * 2);
        Assert.True(new ReadOnlySpan<byte>((void*)held[3], 96 * 128 * 2).SequenceEqual(bytes));
    }

    [SharedFact]
    public void Many_threads_read_at_once()
    {
        using var checkpoint = CheckpointDirectory.Open(Shared.PathOf("data/bard"));
        var tensors = IndependentSafetensors.ReadModel(checkpoint.Path);
        var names = ParameterTable.Of(checkpoint.Config).Parameters.Select(parameter => parameter.Name).ToArray();
        Parallel.For(0, 8 * names.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var stored = checkpoint.Get(names[i % names.Length]);
            Assert.True(StoredBytes.Of(stored).SequenceEqual(tensors[stored.Name]), stored.Name);
        });
    }

    [SharedFact]
    public void What_the_other_files_say_is_there()
    {
        using var scout = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        Assert.Equal(new GenerationDefaults(0.6, 0.9, 0), scout.GenerationDefaults);
        Assert.Equal(128, scout.Config.HiddenSize);
        Assert.False(scout.IsInstruct);
        Assert.False(scout.HasTokenizer);
        Assert.Empty(scout.Warnings);

        using var bard = CheckpointDirectory.Open(Shared.PathOf("data/bard"));
        Assert.Equal(192, bard.Config.HiddenSize);
        Assert.False(bard.IsInstruct);
        Assert.True(bard.HasTokenizer);
        Assert.True(File.Exists(bard.TokenizerPath));
    }

    [SharedFact]
    public void A_parameter_that_the_config_lacks_is_named()
    {
        using var checkpoint = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        var fault = Assert.Throws<KeyNotFoundException>(() => checkpoint.Get("text.layers.8.attn.q.weight"));
        Assert.Contains("\"text.layers.8.attn.q.weight\"", fault.Message);
    }

    [SharedFact]
    public void A_closed_checkpoint_refuses_to_be_read()
    {
        var checkpoint = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-scout"));
        checkpoint.Dispose();
        checkpoint.Dispose();
        var fault = Assert.Throws<ObjectDisposedException>(() => checkpoint.Get(ParameterNames.Embed));
        Assert.Contains(ParameterNames.Embed, fault.Message);
    }
}
