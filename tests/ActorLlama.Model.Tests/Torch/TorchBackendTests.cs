using static TorchSharp.torch;

namespace ActorLlama.Model.Tests;

/// <summary>Live tensors are counted for the whole process, so nothing may run beside.</summary>
[CollectionDefinition(nameof(TorchBackendTests), DisableParallelization = true)]
[Collection(nameof(TorchBackendTests))]
public sealed class TorchBackendTests
{
    private static readonly LlamaConfig s_config = ModelShapes.Read("tiny-maverick");

    [Theory]
    [InlineData("cuda:7")]
    [InlineData("gpu")]
    [InlineData("cpu:x")]
    [InlineData("")]
    public void A_device_that_does_not_exist_is_refused_with_those_that_do(string device)
    {
        var fault = Assert.Throws<InvalidDataException>(() => new TorchBackend(s_config, device, ActivationType.Float32));
        Assert.StartsWith($"Device: \"{device}\" does not exist; this program finds cpu", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cpu", "cpu:0")]
    [InlineData("cpu:3", "cpu:3")]
    public void A_cpu_share_is_a_device(string device, string name)
    {
        using var backend = new TorchBackend(s_config, device, ActivationType.Float32);
        Assert.Equal(name, backend.Device);
    }

    [Fact]
    public void Live_tensors_and_activations_do_not_rise_with_steps()
    {
        using var weights = new RandomWeights(s_config, seed: 41);
        using var backend = new TorchBackend(s_config, "cpu", ActivationType.BFloat16);
        var before = (Tensor.TotalCount, Activation.Live);
        using (var decoder = LlamaDecoder.Load(backend, s_config, weights))
        {
            using var cache = decoder.NewCache();
            decoder.Run(backend, (cache, 0, [1, 2, 3]));
            var after = (Tensor.TotalCount, Activation.Live);
            for (var position = 3; position < 13; position++) decoder.Run(backend, (cache, position, [position]));
            Assert.Equal(after, (Tensor.TotalCount, Activation.Live));
            Assert.Equal(before.Live, after.Live);
        }
        backend.Dispose();
        Assert.Equal(before, (Tensor.TotalCount, Activation.Live));
    }

    [Theory]
    [InlineData(ActivationType.Float32, 1e-5)]
    [InlineData(ActivationType.BFloat16, 0.05)]
    public void Sequences_that_decode_together_get_what_each_gets_alone(ActivationType type, double tolerance)
    {
        using var weights = new RandomWeights(s_config, seed: 44);
        using var backend = new TorchBackend(s_config, "cpu", type);
        using var decoder = LlamaDecoder.Load(backend, s_config, weights);
        // Within a block, at the begin of one, beyond chunks of 16 and blocks of 64; the long prompt in the middle goes alone.
        int[] lengths = [3, 64, 130, 47, 0, 15];
        int[][] prompts = [.. lengths.Select((length, i) => Enumerable.Range(0, length).Select(j => (i * 31 + j * 7) % 50).ToArray())];
        int[][] next = [[1], [2], [3], [4], [5, 6, 7, 8], [9]];
        var together = prompts.Select(_ => decoder.NewCache()).ToArray();
        var alone = prompts.Select(_ => decoder.NewCache()).ToArray();
        for (var i = 0; i < prompts.Length; i++)
        {
            if (prompts[i].Length == 0) continue;
            decoder.Run(backend, (together[i], 0, prompts[i]));
            decoder.Run(backend, (alone[i], 0, prompts[i]));
        }
        var actual = decoder.Run(backend, [.. together.Select((cache, i) => (cache, lengths[i], next[i]))]);
        var expected = alone.SelectMany((cache, i) => decoder.Run(backend, (cache, lengths[i], next[i]))).ToArray();
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));
        foreach (var cache in together.Concat(alone)) cache.Dispose();
    }

    [Fact]
    public void A_fork_shares_blocks_until_both_are_gone()
    {
        using var weights = new RandomWeights(s_config, seed: 42);
        using var backend = new TorchBackend(s_config, "cpu", ActivationType.Float32);
        using var decoder = LlamaDecoder.Load(backend, s_config, weights);
        int[] prompt = [.. Enumerable.Range(0, 100).Select(i => i * 7 % 50)];
        var (expected, width) = (decoder.Prefill(backend, prompt, 64), s_config.VocabSize);
        var tensors = Tensor.TotalCount;
        var first = decoder.NewCache();
        decoder.Run(backend, (first, 0, prompt[..64]));
        decoder.Run(backend, (first, 64, prompt[64..70]));
        var bytes = backend.KvBytes;
        Assert.Equal(first.Bytes, bytes);
        var fork = first.TryFork(64)!;
        Assert.Equal(bytes, backend.KvBytes);
        first.Dispose();
        Assert.Equal(fork.Bytes, backend.KvBytes);
        Assert.Equal(expected[(64 * width)..], decoder.Run(backend, (fork, 64, prompt[64..])));
        fork.Dispose();
        Assert.Equal((0, tensors), (backend.KvBytes, Tensor.TotalCount));
    }

    [Fact]
    public void The_cache_drops_blocks_before_the_chunk_on_rope_layers_only()
    {
        // Layers 2 (RoPE, chunk 16) and 3 (NoPE); 2 kv heads of 16 in float32: a block takes 64·32·4·2 bytes.
        using var backend = new TorchBackend(s_config, "cpu", ActivationType.Float32);
        using var cache = backend.NewCache(2, 2);
        const long Block = 64 * 32 * 4 * 2;
        foreach (var (start, count, rope, nope) in new[] { (0, 60, 1, 1), (60, 6, 2, 2), (66, 62, 1, 2), (128, 1, 1, 3), (129, 100, 2, 4) })
        {
            foreach (var layer in new[] { 2, 3 }) Attend(layer, start, count);
            Assert.Equal((start + count, (rope + nope) * Block), (cache.Length, cache.Bytes));
        }
        var fault = Assert.Throws<InvalidOperationException>(() => Attend(2, 230, 1));
        Assert.Contains("position 230 of layer 2", fault.Message, StringComparison.Ordinal);
        Assert.Contains("from 129 to 229", fault.Message, StringComparison.Ordinal);
        Attend(2, 129, 3);

        void Attend(int layer, int start, int count)
        {
            using var q = backend.Read(new byte[count * 96 * 4], count, 96);
            using Activation k = backend.Read(new byte[count * 32 * 4], count, 32), v = backend.Read(new byte[count * 32 * 4], count, 32);
            backend.Attend(new Qkv(q, k, v), layer, new RowBatch([new(cache, start, count)])).Dispose();
        }
    }

    [Fact]
    public void A_NaN_weight_is_named_unless_allowed_and_other_experts_are_not_looked_at()
    {
        using var weights = new RandomWeights(s_config, seed: 42);
        using var backend = new TorchBackend(s_config, "cpu", ActivationType.Float32);
        weights.Set(ParameterNames.AttnO(0), 77, float.NaN);
        var perExpert = 2L * s_config.HiddenSize * s_config.ExpertHidden;
        weights.Set(ParameterNames.ExpertsGateUp(1), 3 * perExpert + 5, float.NaN);
        var stage = Assert.Throws<InvalidDataException>(() => TrunkStage.Load(backend, s_config, new(0, 1), weights));
        Assert.Contains($"\"{ParameterNames.AttnO(0)}\" holds NaN at element 77.", stage.Message, StringComparison.Ordinal);
        var experts = Assert.Throws<InvalidDataException>(() => ExpertGroup.Load(backend, s_config, 2, 2, weights));
        Assert.Contains($"holds NaN at element {3 * perExpert + 5}.", experts.Message, StringComparison.Ordinal);
        TrunkStage.Load(backend, s_config, new(0, 1), weights, new WeightLoading(AllowNaN: true)).Dispose();
        ExpertGroup.Load(backend, s_config, 4, 4, weights).Dispose();
    }

    [Fact]
    public void Bfloat16_rounds_activations_and_cache_but_never_the_logits()
    {
        using var weights = new RandomWeights(s_config, seed: 43);
        using var backend = new TorchBackend(s_config, "cpu", ActivationType.BFloat16);
        using var decoder = LlamaDecoder.Load(backend, s_config, weights);
        using var trunk = TrunkStage.Load(backend, s_config, LayerRange.All(s_config), weights);
        using var cache = trunk.NewCache();
        using var x = trunk.Embed([1, 2, 3]);
        using var h = trunk.Attend(0, x, new RowBatch([new(cache, 0, 3)]));
        using var ffn = trunk.DenseFfn(0, h);
        Assert.All(backend.Values(ffn), value => Assert.Equal(0u, BitConverter.SingleToUInt32Bits(value) & 0xFFFF));
        Assert.Equal(2 * s_config.HiddenSize, backend.RowBytes(s_config.HiddenSize));
        Assert.Contains(decoder.Prefill(backend, [1, 2, 3]), value => (BitConverter.SingleToUInt32Bits(value) & 0xFFFF) != 0);
    }

    [Fact]
    public void Fingerprints_differ_by_activations_and_by_position_tables()
    {
        string Of(LlamaConfig config, ActivationType type)
        {
            using var backend = new TorchBackend(config, "cpu", type);
            return backend.NumericFingerprint;
        }

        var own = Of(s_config, ActivationType.Float32);
        Assert.Equal(own, Of(s_config, ActivationType.Float32));
        Assert.NotEqual(own, Of(s_config, ActivationType.BFloat16));
        Assert.NotEqual(own, Of(s_config with { RopeTheta = 1000 }, ActivationType.Float32));
        Assert.NotEqual(own, Of(s_config with { AttnScale = 0.5 }, ActivationType.Float32));
    }
}
