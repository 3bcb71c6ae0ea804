using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

/// <summary>The model against the public reference code's numbers (fixtures/README.md).</summary>
public sealed class GoldenTests
{
    private const double Bf16MeanDifference = 0.2, Bf16Agreement = 0.85;

    public static TheoryData<string, string> BackendsAndModels => Pairs(GoldenModel.Names);

    /// <summary>The models whose golden files hold what is between the layers.</summary>
    public static TheoryData<string, string> BackendsAndTappedModels => Pairs([GoldenModel.Scout, GoldenModel.Maverick]);

    [SharedTheory]
    [MemberData(nameof(BackendsAndModels))]
    public void Prefill_logits_equal_the_reference(string kind, string model)
    {
        using var golden = GoldenModel.Open(model);
        using var backend = Backends.Create(kind, golden.Config);
        using var decoder = LlamaDecoder.Load(backend, golden.Config, golden.Checkpoint);
        var length = golden.Expected.Shape("input_ids")[1];
        var prompts = golden.Expected.Ids("input_ids").Chunk(length).ToArray();
        using KvCache first = decoder.NewCache(), second = decoder.NewCache();
        var logits = decoder.Run(backend, (first, 0, prompts[0]), (second, 0, prompts[1]));
        Close.All(golden.Expected.Floats("logits"), logits, "logits");
    }

    [SharedTheory]
    [MemberData(nameof(BackendsAndModels))]
    public void Greedy_decoding_gives_the_reference_s_tokens_and_logits(string kind, string model)
    {
        using var golden = GoldenModel.Open(model);
        using var backend = Backends.Create(kind, golden.Config);
        using var decoder = LlamaDecoder.Load(backend, golden.Config, golden.Checkpoint);
        var vocab = golden.Config.VocabSize;
        var expected = golden.Expected.Ids("decode.tokens");
        using var cache = decoder.NewCache();
        var next = golden.Expected.Ids("decode.prompt");
        var tokens = new List<int>();
        var rows = new List<float>();
        var position = 0;
        while (tokens.Count < expected.Length)
        {
            var row = decoder.Run(backend, (cache, position, next))[^vocab..];
            position += next.Length;
            tokens.Add(Decoding.ArgMax(row));
            rows.AddRange(row);
            next = [tokens[^1]];
        }
        Assert.Equal(expected, tokens);
        Close.All(golden.Expected.Floats("decode.logits"), [.. rows], "decode.logits");
    }

    [SharedTheory]
    [MemberData(nameof(BackendsAndTappedModels))]
    public void Every_layer_s_activations_and_experts_equal_the_reference(string kind, string model)
    {
        using var golden = GoldenModel.Open(model);
        var (config, expected) = (golden.Config, golden.Expected);
        using var backend = Backends.Create(kind, config);
        using var trunk = TrunkStage.Load(backend, config, LayerRange.All(config), golden.Checkpoint);
        using var experts = ExpertGroup.Load(backend, config, 0, config.Experts, golden.Checkpoint);
        using KvCache first = trunk.NewCache(), second = trunk.NewCache();
        var ids = expected.Ids("input_ids");
        var rows = new RowBatch([new(first, 0, ids.Length / 2), new(second, 0, ids.Length / 2)]);
        var x = trunk.Embed(ids);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            Close.All(expected.Floats($"hidden.{layer}"), backend.Values(x), $"hidden.{layer}");
            using var h = trunk.Attend(layer, x, rows);
            if (expected.Has($"attn.{layer}"))
            {
                var block = backend.Values(h).Zip(backend.Values(x), (after, before) => after - before).ToArray();
                Close.All(expected.Floats($"attn.{layer}"), block, $"attn.{layer}");
            }
            x.Dispose();
            if (config.IsMoe[layer])
            {
                using var input = trunk.Route(layer, h);
                Assert.Equal(expected.Ids($"expert.{layer}"), input.Routing.Experts);
                using var routed = experts.Run(layer, input.Routing.Scaled, input.Routing.Experts);
                using var shared = trunk.Shared(layer, input);
                x = trunk.Combine(h, shared, routed);
            }
            else x = trunk.DenseFfn(layer, h);
        }
        Close.All(expected.Floats($"hidden.{config.Layers}"), backend.Values(x), $"hidden.{config.Layers}");
        x.Dispose();
    }

    [SharedTheory]
    [MemberData(nameof(BackendsAndModels))]
    public void Bfloat16_activations_stay_within_the_reference_s_statistics(string kind, string model)
    {
        using var golden = GoldenModel.Open(model);
        using var backend = Backends.Create(kind, golden.Config, ActivationType.BFloat16);
        using var decoder = LlamaDecoder.Load(backend, golden.Config, golden.Checkpoint);
        var (vocab, expected) = (golden.Config.VocabSize, golden.Expected.Floats("logits"));
        var prompts = golden.Expected.Ids("input_ids").Chunk(golden.Expected.Shape("input_ids")[1]);
        var logits = prompts.SelectMany(prompt => decoder.Prefill(backend, prompt)).ToArray();
        var difference = logits.Zip(expected, (a, b) => Math.Abs((double)a - b)).Average();
        Assert.InRange(difference, 1e-4, Bf16MeanDifference);
        var rows = logits.Length / vocab;
        var equal = Enumerable.Range(0, rows).Count(
            row => Decoding.ArgMax(logits.AsSpan(row * vocab, vocab)) == Decoding.ArgMax(expected.AsSpan(row * vocab, vocab)));
        Assert.InRange((double)equal / rows, Bf16Agreement, 1);
    }

    private static TheoryData<string, string> Pairs(IEnumerable<string> models)
    {
        var data = new TheoryData<string, string>();
        foreach (var backend in Backends.Names)
            foreach (var model in models) data.Add(backend, model);
        return data;
    }
}
