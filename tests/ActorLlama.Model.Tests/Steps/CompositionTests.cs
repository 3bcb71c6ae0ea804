using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

/// <summary>However the steps are composed, the logits are the same: to the bit on the CPU backend, within the tolerance on libtorch.</summary>
public sealed class CompositionTests
{
    private static readonly LlamaConfig s_config = ModelShapes.Read("tiny-maverick") with { ExpertsPerToken = 2 };

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Two_unequal_prompts_in_one_batch_equal_the_single_runs(string kind)
    {
        using var run = new Run(kind, s_config);
        int[] first = Ids(1, 37), second = Ids(2, 12);
        var (alone, other) = (run.Decoder.Prefill(run.Backend, first), run.Decoder.Prefill(run.Backend, second));
        using KvCache a = run.Decoder.NewCache(), b = run.Decoder.NewCache();
        AssertSame(kind, [.. alone, .. other], run.Decoder.Run(run.Backend, (a, 0, first), (b, 0, second)), "both prompts");
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Prefill_and_decode_rows_mixed_in_one_batch_equal_the_single_runs(string kind)
    {
        using var run = new Run(kind, s_config);
        int[] first = Ids(3, 30), second = Ids(4, 25);
        var vocab = s_config.VocabSize;
        var (alone, other) = (run.Decoder.Prefill(run.Backend, first), run.Decoder.Prefill(run.Backend, second));
        using KvCache a = run.Decoder.NewCache(), b = run.Decoder.NewCache();
        run.Decoder.Run(run.Backend, (a, 0, first[..20]));
        // Sequence a decodes its next tokens while b is prefilled in pieces of 5.
        for (var i = 0; i < 5; i++)
        {
            var mixed = run.Decoder.Run(run.Backend, (b, 5 * i, second[(5 * i)..(5 * i + 5)]), (a, 20 + i, [first[20 + i]]));
            AssertSame(kind, other.AsSpan(5 * i * vocab, 5 * vocab), mixed.AsSpan(0, 5 * vocab), $"prefill {i}");
            AssertSame(kind, alone.AsSpan((20 + i) * vocab, vocab), mixed.AsSpan(5 * vocab), $"decode {i}");
        }
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Two_stages_and_three_expert_groups_equal_one_device(string kind)
    {
        var config = s_config;
        using var run = new Run(kind, config);
        var backend = run.Backend;
        using var early = TrunkStage.Load(backend, config, new(0, 3), run.Weights);
        using var late = TrunkStage.Load(backend, config, new(3, 5), run.Weights);
        var groups = new[] { (0, 2), (2, 3), (5, 3) }
            .Select(range => ExpertGroup.Load(backend, config, range.Item1, range.Item2, run.Weights)).ToArray();
        var ids = Ids(5, 29);
        using KvCache first = early.NewCache(), second = late.NewCache();

        var x = early.Embed(ids);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var stage = layer < 3 ? early : late;
            if (layer == 3) x = OverTheWire(x);
            using var h = stage.Attend(layer, x, new RowBatch([new(layer < 3 ? first : second, 0, ids.Length)]));
            x.Dispose();
            x = config.IsMoe[layer] ? Moe(stage, layer, h) : stage.DenseFfn(layer, h);
        }
        using var logits = late.Logits(x, [.. Enumerable.Range(0, ids.Length)]);
        x.Dispose();
        AssertSame(kind, run.Decoder.Prefill(backend, ids), backend.Values(logits), "logits");
        foreach (var group in groups) group.Dispose();

        Activation Moe(TrunkStage stage, int layer, Activation h)
        {
            using var input = stage.Route(layer, h);
            var experts = input.Routing.Experts;
            var places = groups.Select(group => Enumerable.Range(0, experts.Length)
                .Where(row => experts[row] >= group.First && experts[row] < group.First + group.Count).Reverse().ToArray()).ToArray();
            var parts = new List<Activation>();
            foreach (var (group, mine) in groups.Zip(places))
            {
                using var rows = backend.TakeRows(input.Routing.Scaled, mine);
                using var sent = OverTheWire(backend.TakeRows(rows, [.. Enumerable.Range(0, mine.Length)]));
                parts.Add(group.Run(layer, sent, [.. mine.Select(row => experts[row])]));
            }
            using var routed = backend.PlaceRows(experts.Length, parts, places);
            foreach (var part in parts) part.Dispose();
            using var shared = stage.Shared(layer, input);
            return stage.Combine(h, shared, routed);
        }

        Activation OverTheWire(Activation sent)
        {
            var bytes = new byte[sent.Rows * backend.RowBytes(sent.Width)];
            backend.Write(sent, bytes);
            using (sent) return backend.Read(bytes, sent.Rows, sent.Width);
        }
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Logits_come_for_the_rows_named_in_their_order_and_for_none_if_none_is(string kind)
    {
        using var run = new Run(kind, s_config);
        var ids = Ids(6, 9);
        var all = run.Decoder.Prefill(run.Backend, ids);
        using var cache = run.Decoder.NewCache();
        var rows = new RowBatch([new(cache, 0, ids.Length)]);
        using var some = run.Decoder.Forward(rows, ids, [8, 2]);
        AssertSame(kind, [.. Row(8), .. Row(2)], run.Backend.Values(some), "rows 8 and 2");
        // The batch is run again: its keys and values replace themselves.
        using var none = run.Decoder.Forward(rows, ids, []);
        Assert.Equal((0, s_config.VocabSize), (none.Rows, none.Width));

        float[] Row(int row) => all[(row * s_config.VocabSize)..((row + 1) * s_config.VocabSize)];
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Tied_embeddings_equal_a_head_that_holds_the_same_numbers(string kind)
    {
        using var tied = new Run(kind, s_config with { TieEmbeddings = true });
        var ids = Ids(7, 11);
        Close.All(FullMaskOracle.Logits(s_config with { TieEmbeddings = true }, tied.Weights, ids), tied.Decoder.Prefill(tied.Backend, ids), "tied");
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void A_weight_of_another_shape_is_refused_and_what_was_loaded_is_freed(string kind)
    {
        using var run = new Run(kind, s_config);
        var wider = s_config with { ExpertHidden = s_config.ExpertHidden + 16 };
        var fault = Assert.Throws<InvalidDataException>(() => LlamaDecoder.Load(run.Backend, wider, run.Weights));
        Assert.Contains($"\"{ParameterNames.SharedGate(1)}\" has shape [80,96], but the config wants [96,96]", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void A_stage_refuses_what_it_does_not_hold(string kind)
    {
        using var run = new Run(kind, s_config);
        using var middle = TrunkStage.Load(run.Backend, s_config, new(2, 2), run.Weights);
        using var experts = ExpertGroup.Load(run.Backend, s_config, 2, 2, run.Weights);
        using var x = run.Backend.Read(new byte[4 * s_config.HiddenSize], 1, s_config.HiddenSize);
        Assert.False(middle.IsFirst || middle.IsLast);
        Assert.Throws<InvalidOperationException>(() => middle.Embed([1]));
        Assert.Throws<InvalidOperationException>(() => middle.Logits(x, [0]));
        Assert.Throws<InvalidOperationException>(() => middle.Route(2, x));
        Assert.Throws<InvalidOperationException>(() => middle.DenseFfn(3, x));
        Assert.Throws<ArgumentOutOfRangeException>(() => middle.Route(5, x));
        Assert.Throws<ArgumentOutOfRangeException>(() => experts.Run(3, x, [4]));
        Assert.Throws<InvalidOperationException>(() => experts.Run(2, x, [2]));
        Assert.Contains("[6,10)", Assert.Throws<InvalidDataException>(
            () => ExpertGroup.Load(run.Backend, s_config, 6, 4, run.Weights)).Message, StringComparison.Ordinal);
    }

    private static int[] Ids(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(s_config.VocabSize))];
    }

    private static void AssertSame(string kind, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        if (kind == Backends.Torch) Close.All(expected, actual, what);
        else CpuModel.AssertSameBits(expected, actual, what);
    }

    private sealed class Run : IDisposable
    {
        public Run(string kind, LlamaConfig config)
        {
            Weights = new RandomWeights(config, seed: 31);
            Backend = Backends.Create(kind, config);
            Decoder = LlamaDecoder.Load(Backend, config, Weights);
        }

        public RandomWeights Weights { get; }
        public IBackend Backend { get; }
        public LlamaDecoder Decoder { get; }

        public void Dispose()
        {
            Decoder.Dispose();
            Backend.Dispose();
            Weights.Dispose();
        }
    }
}
