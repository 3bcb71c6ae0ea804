using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Placement;

/// <summary>Model shapes by hand, bf16, from the numbers of spec 1.1.</summary>
internal static class Shapes
{
    private const long Bf16 = 2;
    private const long Hidden = 5120;
    private const long HeadDim = 128;
    private const long QueryHeads = 40;
    private const long KvHeads = 8;
    private const long Ffn = 8192;
    private const long Vocab = 202_048;

    public static ModelShape Scout { get; } = Llama4("llama4-17b-16e", experts: 16, step: 1);

    public static ModelShape Maverick { get; } = Llama4("llama4-17b-128e", experts: 128, step: 2);

    /// <summary>A few KiB; every third layer attends to everything.</summary>
    public static ModelShape Tiny(int layers, int experts, bool moe = true) => new(
        "tiny", 64, 512, 1024, experts, 1, EmbedBytes: 700, HeadBytes: 900, ExpertBytes: 400, ActivationBytes: 4,
        [.. Enumerable.Range(0, layers).Select(i => new LayerShape(moe, 300 + (i % 3 * 50), 2, i % 3 == 2 ? null : 16))]);

    public static long WeightBytes(ModelShape shape) =>
        shape.EmbedBytes + shape.HeadBytes + shape.Layers.Sum(l => l.TrunkBytes) + (shape.Experts * shape.ExpertBytes);

    private static ModelShape Llama4(string name, int experts, int step)
    {
        const long attention = (2 * Hidden * QueryHeads * HeadDim) + (2 * Hidden * KvHeads * HeadDim) + (2 * Hidden);
        const long expert = 3 * Hidden * Ffn;
        const long dense = 3 * Hidden * 2 * Ffn;
        var layers = Enumerable.Range(0, 48).Select(i =>
        {
            var isMoe = (i + 1) % step == 0;
            var weights = attention + (isMoe ? expert + (experts * Hidden) : dense);
            return new LayerShape(isMoe, weights * Bf16, (int)(2 * KvHeads * HeadDim * Bf16), (i + 1) % 4 == 0 ? null : 8192);
        }).ToImmutableArray();
        return new ModelShape(
            name, (int)Hidden, (int)Vocab, 262_144, experts, 1,
            EmbedBytes: Vocab * Hidden * Bf16,
            HeadBytes: ((Vocab * Hidden) + Hidden) * Bf16,
            ExpertBytes: layers.Count(l => l.IsMoe) * expert * Bf16,
            ActivationBytes: 2,
            layers);
    }
}
