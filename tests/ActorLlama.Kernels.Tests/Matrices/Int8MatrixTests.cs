namespace ActorLlama.Kernels.Tests;

public sealed unsafe class Int8MatrixTests
{
    [Theory]
    [InlineData(true, 7, 31)]
    [InlineData(true, 1030, 97)]
    [InlineData(false, 513, 64)]
    public void A_product_has_the_bits_of_the_rounded_weights_in_the_canonical_order(bool isBf16, int inputs, int outputs)
    {
        var w = Samples.Bf16Floats(1, (long)outputs * inputs);
        Array.Clear(w, inputs, inputs);
        var (whole, scales) = Rounded(w, outputs, inputs);
        foreach (var threads in new[] { 1, 3 })
            foreach (var rows in new[] { 1, 2, 3, 7, 32, 121 })
            {
                var x = Samples.Floats(rows, rows * inputs);
                Samples.AssertSameBits(Canonical(x, rows, whole, scales, outputs, inputs), Product(w, isBf16, outputs, inputs, x, rows, threads));
            }
    }

    [Fact]
    public void A_weight_moves_by_half_a_step_at_most()
    {
        const int inputs = 1000, outputs = 70;
        var w = Samples.Bf16Floats(2, outputs * inputs);
        var (whole, scales) = Rounded(w, outputs, inputs);
        for (var n = 0; n < outputs; n++)
            for (var k = 0; k < inputs; k++)
            {
                var scale = scales[n * 2 + k / 512];
                Assert.InRange(Math.Abs(whole[n * inputs + k] * (double)scale - w[n * inputs + k]), 0, scale * 0.50001);
            }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_matrix_read_in_place_is_rounded_to_the_same_bits(bool isBf16)
    {
        const int inputs = 600, outputs = 96, rows = 4;
        var w = Samples.Bf16Floats(3, outputs * inputs);
        var x = Samples.Floats(4, rows * inputs);
        var y = new float[rows * outputs];
        using var team = new ThreadTeam(2);
        fixed (byte* stored = Samples.Stored(Samples.Transpose(w, outputs, inputs), isBf16))
        fixed (float* px = x, py = y)
        {
            using var matrix = Int8Matrix.Pack(WeightPanels.InPlace((nint)stored, isBf16, inputs, outputs, 0, outputs), team);
            Kernels.Product.Run(team, new Product(matrix.Panels, px, inputs, rows, py, outputs, round: false));
        }
        Samples.AssertSameBits(Product(w, isBf16, outputs, inputs, x, rows, threads: 1), y);
    }

    private static float[] Product(float[] w, bool isBf16, int outputs, int inputs, float[] x, int rows, int threads)
    {
        using var team = new ThreadTeam(threads);
        // One more row than is computed: nothing is written beyond.
        var y = new float[(rows + 1) * outputs];
        fixed (byte* stored = Samples.Stored(w, isBf16))
        fixed (float* px = x, py = y)
        {
            using var packed = PackedMatrix.Pack((nint)stored, isBf16, outputs, inputs, inputs, 1, team);
            using var matrix = Int8Matrix.Pack(packed.Panels, team);
            Kernels.Product.Run(team, new Product(matrix.Panels, px, inputs, rows, py, outputs, round: false));
        }
        Assert.All(y[(rows * outputs)..], value => Assert.Equal(0f, value));
        return y[..(rows * outputs)];
    }

    /// <summary>Whole numbers [out,in], and the scale of each output for each 512 inputs.</summary>
    private static (float[] Whole, float[] Scales) Rounded(float[] w, int outputs, int inputs)
    {
        var parts = (inputs + 511) / 512;
        var (whole, scales) = (new float[w.Length], new float[outputs * parts]);
        for (var n = 0; n < outputs; n++)
            for (var part = 0; part < parts; part++)
            {
                var (from, to) = (n * inputs + part * 512, n * inputs + Math.Min(inputs, part * 512 + 512));
                var largest = w[from..to].Max(Math.Abs);
                scales[n * parts + part] = largest / 127;
                for (var i = from; i < to; i++) whole[i] = largest == 0 ? 0 : MathF.Round(w[i] * (127 / largest), MidpointRounding.ToEven);
            }
        return (whole, scales);
    }

    private static float[] Canonical(float[] x, int rows, float[] whole, float[] scales, int outputs, int inputs)
    {
        var y = new float[rows * outputs];
        var parts = (inputs + 511) / 512;
        for (var r = 0; r < rows; r++)
            for (var n = 0; n < outputs; n++)
                for (var part = 0; part < parts; part++)
                {
                    var partial = 0f;
                    for (var k = part * 512; k < Math.Min(inputs, part * 512 + 512); k++) partial = MathF.FusedMultiplyAdd(x[r * inputs + k], whole[n * inputs + k], partial);
                    ref var to = ref y[r * outputs + n];
                    to = part == 0 ? partial * scales[n * parts + part] : MathF.FusedMultiplyAdd(partial, scales[n * parts + part], to);
                }
        return y;
    }
}
