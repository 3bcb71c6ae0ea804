using System.Runtime.InteropServices;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class BlockAttentionTests
{
    [Theory]
    [InlineData(false, 16, 1, 0, 0)]
    [InlineData(false, 16, 4, 0, 63)]
    [InlineData(false, 40, 3, 16, 31)]
    [InlineData(false, 128, 5, 0, 200)]
    [InlineData(false, 128, 5, 128, 130)]
    [InlineData(true, 128, 5, 70, 200)]
    [InlineData(true, 20, 2, 3, 64)]
    public void A_head_sees_exactly_the_allowed_keys(bool isBf16, int dim, int queries, int firstKey, int position)
    {
        const int kvHeads = 2, head = 1;
        var layout = new KvLayout(kvHeads, dim, isBf16);
        var (k, v, q) = (Samples.Bf16Floats(1, 256 * kvHeads * dim), Samples.Bf16Floats(2, 256 * kvHeads * dim), Samples.Floats(3, queries * dim));

        var expected = new double[queries * dim];
        for (var n = 0; n < queries; n++)
        {
            var scores = new double[position - firstKey + 1];
            for (var j = 0; j < scores.Length; j++)
                for (var d = 0; d < dim; d++) scores[j] += q[n * dim + d] * (double)k[((firstKey + j) * kvHeads + head) * dim + d] / Math.Sqrt(dim);
            var max = scores.Max();
            var total = scores.Sum(s => Math.Exp(s - max));
            for (var j = 0; j < scores.Length; j++)
                for (var d = 0; d < dim; d++) expected[n * dim + d] += Math.Exp(scores[j] - max) / total * v[((firstKey + j) * kvHeads + head) * dim + d];
        }
        // Unwritten positions and stale ones of other uses must not matter: the memory is filled with NaN first.
        Samples.AssertClose(expected, Run(layout, head, q, queries, firstKey, position, k, v, 0xff), 2e-6);
    }

    [Fact]
    public void What_lies_in_masked_places_changes_no_bit()
    {
        var layout = new KvLayout(2, 24, false);
        var (k, v, q) = (Samples.Floats(1, 256 * 2 * 24), Samples.Floats(2, 256 * 2 * 24), Samples.Floats(3, 3 * 24));
        Samples.AssertSameBits(Run(layout, 0, q, 3, 20, 100, k, v, 0), Run(layout, 0, q, 3, 20, 100, k, v, 0xff));
    }

    [Theory]
    [InlineData(false, 0, 0, 7)]
    [InlineData(false, 0, 61, 6)]
    [InlineData(false, 5, 125, 9)]
    [InlineData(true, 64, 64, 8)]
    [InlineData(true, 70, 190, 5)]
    public void Neighbouring_positions_that_go_together_get_the_bits_of_each_alone(bool isBf16, int firstKey, int position, int positions)
    {
        const int queries = 3, dim = 40;
        var layout = new KvLayout(2, dim, isBf16);
        var (k, v, q) = (Samples.Floats(1, 256 * 2 * dim), Samples.Floats(2, 256 * 2 * dim), Samples.Floats(3, positions * queries * dim));
        var together = Run(layout, 1, q, queries, firstKey, position, k, v, 0xff, positions);
        for (var i = 0; i < positions; i++)
        {
            var own = (i * queries * dim)..((i + 1) * queries * dim);
            Samples.AssertSameBits(Run(layout, 1, q[own], queries, firstKey, position + i, k, v, 0xff), together[own]);
        }
    }

    private static float[] Run(KvLayout layout, int head, float[] q, int queries, int firstKey, int position, float[] k, float[] v, byte stale, int positions = 1)
    {
        var end = position + positions;
        var blocks = new nint[(end - 1) / 64 + 1];
        for (var b = firstKey / 64; b < blocks.Length; b++)
        {
            blocks[b] = (nint)NativeMemory.AlignedAlloc((nuint)layout.BlockBytes + 64, 64);
            new Span<byte>((void*)blocks[b], (int)layout.BlockBytes).Fill(stale);
        }
        var scratch = (byte*)NativeMemory.AlignedAlloc((nuint)BlockAttention.ScratchBytes(layout, queries, positions), 64);
        var y = new float[positions * queries * layout.HeadDim];
        var width = layout.KvHeads * layout.HeadDim;
        fixed (float* pq = q, pk = k, pv = v, py = y)
        {
            for (var p = firstKey; p < end; p++) layout.Write(blocks[p / 64], p % 64, pk + p * width, pv + p * width);
            BlockAttention.Run(layout, head, pq, queries * layout.HeadDim, queries, positions, firstKey, position, blocks, py, round: false, scratch);
        }
        foreach (var block in blocks)
            if (block != 0) NativeMemory.AlignedFree((void*)block);
        NativeMemory.AlignedFree(scratch);
        return y;
    }
}
