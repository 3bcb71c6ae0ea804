namespace ActorLlama.Model.Tests;

/// <summary>The numerics contract: a row's bits depend on its inputs and the weights alone.</summary>
public sealed class SameBitsTests : IClassFixture<SameBitsTests.Weights>
{
    public sealed class Weights : IDisposable
    {
        internal RandomWeights Source { get; } = new(CpuModel.Config, seed: 1);

        public void Dispose() => Source.Dispose();
    }

    private readonly RandomWeights _weights;

    public SameBitsTests(Weights weights) => _weights = weights.Source;

    /// <summary>Backends that promise it.</summary>
    public static TheoryData<string, ActivationType> Promising => new()
    {
        { Backends.Cpu, ActivationType.Float32 },
        { Backends.Cpu, ActivationType.BFloat16 },
        { Backends.Tiled, ActivationType.Float32 },
        { Backends.Tiled, ActivationType.BFloat16 },
    };

    public static TheoryData<ActivationType> Types => [ActivationType.Float32, ActivationType.BFloat16];

    [Theory]
    [MemberData(nameof(Promising))]
    public void However_a_prompt_is_cut_its_logits_are_the_same(string kind, ActivationType type)
    {
        using var backend = Backends.Create(kind, CpuModel.Config, type);
        using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
        var prompt = CpuModel.Prompt(1, 100);
        var whole = decoder.Prefill(backend, prompt);
        foreach (var chunk in new[] { 1, 5, 16, 64 }) CpuModel.AssertSameBits(whole, decoder.Prefill(backend, prompt, chunk), $"chunks of {chunk}");
    }

    [Theory]
    [MemberData(nameof(Promising))]
    public void Whatever_else_is_in_a_batch_a_sequence_s_logits_are_the_same(string kind, ActivationType type)
    {
        using var backend = Backends.Create(kind, CpuModel.Config, type);
        using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
        var prompts = Enumerable.Range(0, 32).Select(i => CpuModel.Prompt(10 + i, 1 + i * 7 % 5)).ToArray();
        var alone = prompts.Select(p => decoder.Prefill(backend, p)).ToArray();
        foreach (var count in new[] { 1, 2, 3, 7, 32 })
        {
            var caches = prompts.Take(count).Select(_ => decoder.NewCache()).ToArray();
            var together = decoder.Run(backend, [.. caches.Select((cache, i) => (cache, 0, prompts[i]))]);
            CpuModel.AssertSameBits(alone.Take(count).SelectMany(l => l).ToArray(), together, $"{count} sequences");
            foreach (var cache in caches) cache.Dispose();
        }
    }

    [Fact]
    public void Where_the_weights_are_held_changes_no_bit()
    {
        var prompt = CpuModel.Prompt(3, 40);
        using var reading = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var copying = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config, copyWeights: true);
        using var read = LlamaDecoder.Load(reading, CpuModel.Config, _weights);
        using var copied = LlamaDecoder.Load(copying, CpuModel.Config, _weights);
        foreach (var chunk in new[] { 1, 13, 40 }) CpuModel.AssertSameBits(read.Prefill(reading, prompt, chunk), copied.Prefill(copying, prompt, chunk), $"chunks of {chunk}");
        Assert.True(copied.CopiedBytes > read.CopiedBytes);
        Assert.Equal(read.Bytes, copied.Bytes);
        Assert.Equal(reading.NumericFingerprint, copying.NumericFingerprint);
    }

    [Fact]
    public void With_weights_of_8_bits_neither_the_cut_of_a_prompt_nor_the_threads_change_a_bit_and_the_result_is_near()
    {
        var prompt = CpuModel.Prompt(1, 40);
        using var exact = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var stored = LlamaDecoder.Load(exact, CpuModel.Config, _weights);
        float[] wanted = stored.Prefill(exact, prompt);
        float[]? first = null;
        foreach (var (threads, chunk) in new[] { (1, 40), (2, 1), (3, 7) })
        {
            using var backend = new CpuBackend(0, threads, ActivationType.Float32, CpuModel.Config, WeightType.Int8);
            using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
            var logits = decoder.Prefill(backend, prompt, chunk);
            CpuModel.AssertSameBits(first ??= logits, logits, $"{threads} threads, chunks of {chunk}");
            Assert.True(decoder.Bytes < 0.7 * stored.Bytes, $"{decoder.Bytes} bytes of {stored.Bytes}");
            Assert.NotEqual(exact.NumericFingerprint, backend.NumericFingerprint);
            using var q = backend.LoadLinear(_weights.Get(ParameterNames.AttnQ(0)), new WeightLoading());
            Assert.Contains("8 bits", Assert.Throws<InvalidDataException>(() => q.Contents[0].Read(0, new byte[2])).Message);
        }
        var spread = Math.Sqrt(wanted.Average(x => x * x));
        Assert.InRange(Math.Sqrt(wanted.Zip(first!, (a, b) => (a - b) * (a - b)).Average()), 1e-6 * spread, 0.1 * spread);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void The_number_of_threads_changes_no_bit(ActivationType type)
    {
        var prompt = CpuModel.Prompt(2, 40);
        float[]? one = null;
        foreach (var threads in new[] { 1, 2, 3 })
        {
            using var backend = new CpuBackend(0, threads, type, CpuModel.Config);
            using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
            var logits = decoder.Prefill(backend, prompt);
            CpuModel.AssertSameBits(one ??= logits, logits, $"{threads} threads");
        }
    }

    [Fact]
    public void A_shared_expert_gives_the_same_bits_beside_routed_ones_and_alone()
    {
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var trunk = TrunkStage.Load(backend, CpuModel.Config, LayerRange.All(CpuModel.Config), _weights);
        using var experts = ExpertGroup.Load(backend, CpuModel.Config, 0, CpuModel.Config.Experts, _weights);
        using var h = trunk.Embed(CpuModel.Prompt(7, 9));
        using var input = trunk.Route(0, h);
        using var routedAlone = experts.Run(0, input.Routing.Scaled, input.Routing.Experts);
        using var read = trunk.Shared(0, input);
        var expected = backend.Values(read);
        using var beside = trunk.Shared(0, input);
        using var routed = experts.Run(0, input.Routing.Scaled, input.Routing.Experts);
        CpuModel.AssertSameBits(backend.Values(routedAlone), backend.Values(routed), "routed experts beside the shared one");
        using var replaced = trunk.Shared(0, input);
        trunk.Shared(0, input).Dispose();
        using var caughtUp = trunk.Shared(0, input);
        trunk.CatchUp();
        input.Dispose();
        foreach (var (values, what) in new[] { (beside, "beside routed ones"), (replaced, "before the next"), (caughtUp, "caught up") })
            CpuModel.AssertSameBits(expected, backend.Values(values), what);
    }

    [Fact]
    public void A_shared_expert_whose_rows_are_gone_before_it_runs_is_a_fault_unless_nobody_wants_it()
    {
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var trunk = TrunkStage.Load(backend, CpuModel.Config, LayerRange.All(CpuModel.Config), _weights);
        using var h = trunk.Embed(CpuModel.Prompt(7, 9));
        var input = trunk.Route(0, h);
        var shared = trunk.Shared(0, input);
        input.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.Values(shared));
        shared.Dispose();
        trunk.CatchUp();
    }

    [Fact]
    public void A_batch_that_is_run_twice_gives_the_same_bits()
    {
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
        var prompt = CpuModel.Prompt(3, 90);
        using var cache = decoder.NewCache();
        decoder.Run(backend, (cache, 0, prompt[..50]));
        var first = decoder.Run(backend, (cache, 50, prompt[50..]));
        CpuModel.AssertSameBits(first, decoder.Run(backend, (cache, 50, prompt[50..])), "second run");
    }

    /// <summary>A chunk is 24 positions: at 128 the second block's part of it is shared, at 192 one begins and rotary layers need nothing.</summary>
    [Theory]
    [InlineData(128)]
    [InlineData(192)]
    public void A_sequence_that_begins_with_the_blocks_of_another_gives_the_bits_it_gives_alone_whatever_becomes_of_that_one(int shared)
    {
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, CpuModel.Config);
        using var decoder = LlamaDecoder.Load(backend, CpuModel.Config, _weights);
        var prompt = CpuModel.Prompt(5, 200);
        int[] other = [.. prompt[..shared], .. CpuModel.Prompt(6, 70)];
        var (alone, otherAlone) = (decoder.Prefill(backend, prompt), decoder.Prefill(backend, other));
        var width = CpuModel.Config.VocabSize;

        var first = decoder.NewCache();
        decoder.Run(backend, (first, 0, prompt[..100]));
        decoder.Run(backend, (first, 100, prompt[100..]));
        Assert.Null(first.TryFork(64));
        Assert.Throws<ArgumentOutOfRangeException>(() => first.TryFork(256));
        using var fork = first.TryFork(shared)!;
        Assert.InRange(backend.KvBytes, 1, first.Bytes);
        var together = decoder.Run(backend, (first, 199, prompt[199..]), (fork, shared, other[shared..(shared + 30)]));
        CpuModel.AssertSameBits(alone.AsSpan(199 * width), together.AsSpan(0, width), "the one that was there");
        CpuModel.AssertSameBits(otherAlone.AsSpan(shared * width, 30 * width), together.AsSpan(width), "the one that begins with it");
        first.Dispose();
        CpuModel.AssertSameBits(otherAlone.AsSpan((shared + 30) * width), decoder.Run(backend, (fork, shared + 30, other[(shared + 30)..])), "alone again");
        fork.Dispose();
        Assert.Equal(0, backend.KvBytes);
    }

    [Fact]
    public void Bfloat16_values_fit_bfloat16_after_every_step_but_the_logits()
    {
        using var backend = new CpuBackend(0, 2, ActivationType.BFloat16, CpuModel.Config);
        using var trunk = TrunkStage.Load(backend, CpuModel.Config, LayerRange.All(CpuModel.Config), _weights);
        using var experts = ExpertGroup.Load(backend, CpuModel.Config, 0, CpuModel.Config.Experts, _weights);
        using var cache = trunk.NewCache();
        var rows = new RowBatch([new(cache, 0, 30)]);
        var x = trunk.Embed(CpuModel.Prompt(4, 30));
        for (var layer = 0; layer < CpuModel.Config.Layers; layer++)
        {
            using var h = trunk.Attend(layer, x, rows);
            Fits(h, $"attend {layer}");
            x.Dispose();
            if (CpuModel.Config.IsMoe[layer])
            {
                using var input = trunk.Route(layer, h);
                Fits(input.Routing.Scaled, $"scaled {layer}");
                using var routed = experts.Run(layer, input.Routing.Scaled, input.Routing.Experts);
                Fits(routed, $"routed {layer}");
                using var shared = trunk.Shared(layer, input);
                Fits(shared, $"shared {layer}");
                x = trunk.Combine(h, shared, routed);
            }
            else x = trunk.DenseFfn(layer, h);
            Fits(x, $"layer {layer}");
        }
        using var logits = trunk.Logits(x, [0, 29]);
        Assert.Contains(backend.Values(logits), v => Kernels.Bf16.Round(v) != v);
        x.Dispose();

        void Fits(Activation values, string what) => Assert.All(backend.Values(values), v => Assert.True(Kernels.Bf16.Round(v) == v, $"{what}: {v:R}"));
    }
}
