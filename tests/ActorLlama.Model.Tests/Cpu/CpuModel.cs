namespace ActorLlama.Model.Tests;

/// <summary>
/// A small random model with the awkward sizes: sums of more than 2048 terms, outputs that fill no whole panel, experts that do, a chunk
/// that does not divide a KV block, rotary and NoPE, dense and MoE layers.
/// </summary>
internal static class CpuModel
{
    public static LlamaConfig Config { get; } = ModelShapes.Read("tiny-scout") with
    {
        Layers = 4,
        HiddenSize = 288,
        QueryHeads = 6,
        KvHeads = 2,
        HeadDim = 40,
        ExpertHidden = 2080,
        DenseHidden = 2055,
        Experts = 3,
        VocabSize = 517,
        AttentionChunk = 24,
        MaxPositions = 4096,
        UsesRope = [true, true, false, true],
        IsMoe = [true, false, true, false],
    };

    public static int[] Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(Config.VocabSize))];
    }

    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: value {i} is {actual[i]:R}, expected {expected[i]:R}");
    }
}
