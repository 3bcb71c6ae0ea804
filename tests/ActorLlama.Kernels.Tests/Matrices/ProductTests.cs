namespace ActorLlama.Kernels.Tests;

public sealed unsafe class ProductTests
{
    public static TheoryData<bool, int, int> Shapes()
    {
        var data = new TheoryData<bool, int, int>();
        foreach (var isBf16 in new[] { true, false })
            foreach (var (inputs, outputs) in new[] { (1, 1), (7, 31), (512, 32), (513, 65), (1030, 96), (2051, 131) })
                data.Add(isBf16, inputs, outputs);
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_packed_product_has_the_bits_of_the_canonical_order_for_any_number_of_rows(bool isBf16, int inputs, int outputs)
    {
        var w = Samples.Bf16Floats(1, (long)outputs * inputs);
        foreach (var rows in new[] { 1, 2, 3, 4, 5, 7, 9, 32 })
        {
            var x = Samples.Floats(rows, rows * inputs);
            Samples.AssertSameBits(Samples.CanonicalProduct(x, rows, w, outputs, inputs), Packed(w, isBf16, outputs, inputs, x, rows));
        }
    }

    [Theory]
    [InlineData(true, 2051, 96, 1)]
    [InlineData(true, 2051, 96, 2)]
    [InlineData(true, 515, 352, 7)]
    [InlineData(true, 1039, 160, 12)]
    [InlineData(true, 1039, 160, 13)]
    [InlineData(true, 1024, 32, 130)]
    [InlineData(false, 2051, 96, 1)]
    [InlineData(false, 1030, 64, 5)]
    public void A_matrix_read_in_place_gives_the_bits_of_its_packed_transpose(bool isBf16, int inputs, int outputs, int rows)
    {
        var w = Samples.Bf16Floats(2, (long)outputs * inputs);
        var x = Samples.Floats(3, rows * inputs);
        Samples.AssertSameBits(Packed(w, isBf16, outputs, inputs, x, rows), InPlace(Samples.Transpose(w, outputs, inputs), isBf16, inputs, outputs, 0, outputs, x, rows));
    }

    [Fact]
    public void Some_columns_of_a_wider_matrix_can_be_read_in_place()
    {
        const int inputs = 600, columns = 100, first = 33, outputs = 64, rows = 3;
        var wide = Samples.Bf16Floats(4, inputs * columns);
        var own = new float[outputs * inputs];
        for (var n = 0; n < outputs; n++)
            for (var k = 0; k < inputs; k++) own[n * inputs + k] = wide[k * columns + first + n];
        var x = Samples.Floats(5, rows * inputs);
        Samples.AssertSameBits(Samples.CanonicalProduct(x, rows, own, outputs, inputs), InPlace(wide, true, inputs, columns, first, outputs, x, rows));
    }

    [Fact]
    public void Columns_that_do_not_fill_whole_panels_cannot_be_read_in_place()
    {
        var e = Assert.Throws<ArgumentException>(() => WeightPanels.InPlace(0, true, 8, 40, 0, 40));
        Assert.Contains("40", e.Message);
        Assert.Contains("32", e.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        const int inputs = 2100, outputs = 517, rows = 3;
        var w = Samples.Bf16Floats(6, outputs * inputs);
        var x = Samples.Floats(7, rows * inputs);
        Samples.AssertSameBits(Packed(w, true, outputs, inputs, x, rows, threads: 1), Packed(w, true, outputs, inputs, x, rows, threads));
    }

    [Fact]
    public void The_error_of_the_order_is_that_of_short_sums()
    {
        const int inputs = 4096, outputs = 33, rows = 2;
        var w = Samples.Bf16Floats(8, outputs * inputs);
        var x = Samples.Floats(9, rows * inputs);
        Samples.AssertClose(Samples.ExactProduct(x, rows, w, outputs, inputs), Packed(w, true, outputs, inputs, x, rows), 6e-5);
    }

    [Fact]
    public void With_rounding_each_output_is_rounded_once_at_the_end()
    {
        const int inputs = 1500, outputs = 45, rows = 4;
        var w = Samples.Bf16Floats(10, outputs * inputs);
        var x = Samples.Bf16Floats(11, rows * inputs);
        var expected = Array.ConvertAll(Samples.CanonicalProduct(x, rows, w, outputs, inputs), Bf16.Round);
        Samples.AssertSameBits(expected, Packed(w, true, outputs, inputs, x, rows, round: true));
    }

    [Fact]
    public void Nothing_is_written_beyond_the_outputs()
    {
        const int inputs = 40, outputs = 37, rows = 2, stride = 50;
        var w = Samples.Stored(Samples.Bf16Floats(12, outputs * inputs), true);
        var x = Samples.Floats(13, rows * inputs);
        var y = new float[rows * stride];
        Array.Fill(y, 77f);
        using var team = new ThreadTeam(1);
        fixed (byte* pw = w)
        fixed (float* px = x, py = y)
        {
            using var packed = PackedMatrix.Pack((nint)pw, true, outputs, inputs, inputs, 1, team);
            Product.Run(team, new Product(packed.Panels, px, inputs, rows, py, stride, round: true));
        }
        for (var r = 0; r < rows; r++) Assert.All(y[(r * stride + outputs)..((r + 1) * stride)], v => Assert.Equal(77f, v));
    }

    private static float[] Packed(float[] w, bool isBf16, int outputs, int inputs, float[] x, int rows, int threads = 2, bool round = false)
    {
        using var team = new ThreadTeam(threads);
        var y = new float[rows * outputs];
        fixed (byte* pw = Samples.Stored(w, isBf16))
        fixed (float* px = x, py = y)
        {
            using var packed = PackedMatrix.Pack((nint)pw, isBf16, outputs, inputs, inputs, 1, team);
            Product.Run(team, new Product(packed.Panels, px, inputs, rows, py, outputs, round));
        }
        return y;
    }

    private static float[] InPlace(float[] w, bool isBf16, int inputs, int columns, int first, int outputs, float[] x, int rows)
    {
        using var team = new ThreadTeam(2);
        var y = new float[rows * outputs];
        fixed (byte* pw = Samples.Stored(w, isBf16))
        fixed (float* px = x, py = y)
            Product.Run(team, new Product(WeightPanels.InPlace((nint)pw, isBf16, inputs, columns, first, outputs), px, inputs, rows, py, outputs, round: false));
        return y;
    }
}
