using System.Runtime.InteropServices;
using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

/// <summary>Chunked masks, caches and every config knob against a computation with a full mask.</summary>
public sealed class FullMaskTests
{
    private static readonly int[] s_lengths = [7, 8, 9, 15, 16, 17, 31, 33, 100];

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Prompts_around_chunk_borders_equal_the_full_mask_computation(string kind)
    {
        foreach (var shape in new[] { "tiny-scout", "tiny-maverick" })
        {
            var config = ModelShapes.Read(shape);
            using var weights = new RandomWeights(config, seed: 21);
            using var backend = Backends.Create(kind, config);
            using var decoder = LlamaDecoder.Load(backend, config, weights);
            foreach (var length in s_lengths)
            {
                var ids = Prompt(length, config.VocabSize);
                Close.All(FullMaskOracle.Logits(config, weights, ids), decoder.Prefill(backend, ids), $"{shape}, {length} tokens");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Decoding_token_by_token_across_a_chunk_border_equals_the_full_mask_computation(string kind)
    {
        var config = ModelShapes.Read("tiny-scout");
        using var weights = new RandomWeights(config, seed: 22);
        using var backend = Backends.Create(kind, config);
        using var decoder = LlamaDecoder.Load(backend, config, weights);
        var ids = Prompt(35, config.VocabSize);
        Close.All(FullMaskOracle.Logits(config, weights, ids), decoder.Prefill(backend, ids, chunk: 1), "one token at a time");
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Every_knob_that_changes_the_maths_equals_the_full_mask_computation(string kind)
    {
        var scout = ModelShapes.Read("tiny-scout") with { Layers = 4, UsesRope = [true, true, true, false], IsMoe = [true, true, true, true] };
        foreach (var (name, config) in new (string, LlamaConfig)[]
        {
            ("no chunk", scout with { AttentionChunk = null }),
            ("odd chunk", scout with { AttentionChunk = 13 }),
            ("listed NoPE layers", scout with { UsesRope = [false, true, false, true] }),
            ("no temperature", scout with { TemperatureTuning = false }),
            ("other temperature", scout with { FloorScale = 3, AttnScale = 0.7 }),
            ("no q/k norm", scout with { QkNorm = false }),
            ("no RoPE scaling", scout with { RopeScaling = null }),
            ("equal RoPE factors", scout with { RopeScaling = new(16, 1, 1, 64) }),
            ("other theta", scout with { RopeTheta = 100 }),
            ("listed MoE layers", scout with { IsMoe = [false, true, true, false] }),
            ("dense only", scout with { IsMoe = [false, false, false, false] }),
            ("two experts a token", scout with { ExpertsPerToken = 2 }),
            ("one kv head", scout with { KvHeads = 1 }),
            ("a kv head for each query head", scout with { KvHeads = 8 }),
            ("heads wider than the model", scout with { HeadDim = 24 }),
            ("tied embeddings", scout with { TieEmbeddings = true }),
            ("large eps", scout with { NormEps = 0.1 }),
        })
        {
            using var weights = new RandomWeights(config, seed: 23, ElementType.Float32);
            using var backend = Backends.Create(kind, config);
            using var decoder = LlamaDecoder.Load(backend, config, weights);
            var ids = Prompt(30, config.VocabSize);
            Close.All(FullMaskOracle.Logits(config, weights, ids), decoder.Prefill(backend, ids, chunk: 11), name);
        }
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void A_query_sees_its_chunk_on_rope_layers_and_everything_before_it_on_others(string kind)
    {
        const int Chunk = 8192, Batch = 512;
        var config = ModelShapes.Read("tiny-scout") with { AttentionChunk = Chunk, MaxPositions = 2 * Chunk, KvHeads = 1, QueryHeads = 1 };
        using var backend = Backends.Create(kind, config);
        using var cache = backend.NewCache(0, 4);
        float[] Run(int layer, int start, int count)
        {
            // Zero queries weigh all visible keys alike: the output is the mean of their values, which are the positions' numbers.
            var values = new float[count * config.HeadDim];
            for (var i = 0; i < count; i++) values.AsSpan(i * config.HeadDim, config.HeadDim).Fill((start + i) / (float)Chunk);
            using var q = backend.Read(new byte[values.Length * 4], count, config.HeadDim);
            using var k = backend.Read(new byte[values.Length * 4], count, config.HeadDim);
            using var v = backend.Read(MemoryMarshal.AsBytes(values.AsSpan()), count, config.HeadDim);
            using var attended = backend.Attend(new Qkv(q, k, v), layer, new RowBatch([new(cache, start, count)]));
            return [.. backend.Values(attended).Chunk(config.HeadDim).Select(row => row[0] * Chunk)];
        }

        for (var start = 0; start < Chunk - 2; start += Batch)
            foreach (var layer in new[] { 0, 3 }) Run(layer, start, Math.Min(Batch, Chunk - 2 - start));
        // Positions 8190 and 8191 see everything; 8192 only itself on the RoPE layer.
        var (rope, nope) = (Run(0, Chunk - 2, 4), Run(3, Chunk - 2, 4));
        Close.All([4095, 4095.5f, 8192, 8192.5f], rope, "RoPE layer");
        Close.All([4095, 4095.5f, 4096, 4096.5f], nope, "NoPE layer");
    }

    private static int[] Prompt(int length, int vocab)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocab))];
    }
}
