namespace ActorLlama.Kernels.Tests;

public sealed unsafe class RowMathTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(83)]
    [InlineData(128)]
    [InlineData(5120)]
    public void Norm_divides_by_the_root_of_the_mean_square_and_multiplies_by_the_gain(int width)
    {
        float[] x = Samples.Floats(width, width, 3), gain = Samples.Floats(2, width), y = new float[width];
        fixed (float* px = x, pg = gain, py = y) RowMath.RmsNorm(px, pg, width, 1e-5f, py, round: false);
        var scale = 1 / Math.Sqrt(x.Sum(v => (double)v * v) / width + 1e-5);
        Samples.AssertClose([.. x.Select((v, i) => v * scale * gain[i])], y, 2e-6);
    }

    [Fact]
    public void With_rounding_the_norm_is_rounded_before_and_after_the_gain()
    {
        const int width = 77;
        float[] x = Samples.Bf16Floats(1, width), gain = Samples.Bf16Floats(2, width), plain = new float[width], y = new float[width];
        float[] ones = new float[width];
        Array.Fill(ones, 1f);
        fixed (float* px = x, p1 = ones, pp = plain, pg = gain, py = y)
        {
            RowMath.RmsNorm(px, p1, width, 1e-5f, pp, round: false);
            RowMath.RmsNorm(px, pg, width, 1e-5f, py, round: true);
        }
        Samples.AssertSameBits([.. plain.Select((u, i) => Bf16.Round(Bf16.Round(u) * gain[i]))], y);
    }

    [Fact]
    public void Neighbouring_pairs_are_turned_by_their_angles()
    {
        float[] x = Samples.Floats(3, 10), y = new float[10], turn = new float[10];
        for (var j = 0; j < 5; j++) (turn[j], turn[5 + j]) = (MathF.Cos(j), MathF.Sin(j));
        fixed (float* px = x, py = y) RowMath.Rotate(px, turn, py, round: false);
        for (var j = 0; j < 5; j++)
        {
            Assert.Equal(x[2 * j] * Math.Cos(j) - x[2 * j + 1] * Math.Sin(j), y[2 * j], 1e-6);
            Assert.Equal(x[2 * j] * Math.Sin(j) + x[2 * j + 1] * Math.Cos(j), y[2 * j + 1], 1e-6);
        }
    }

    [Theory]
    [InlineData(new[] { 1f, 3f, 2f, 3f }, 1, new[] { 1 })]
    [InlineData(new[] { 5f, 5f, 5f, 5f }, 2, new[] { 0, 1 })]
    [InlineData(new[] { 1f, 2f, 9f, 8f }, 2, new[] { 2, 3 })]
    [InlineData(new[] { 9f, 2f, 1f, 8f }, 3, new[] { 0, 1, 3 })]
    [InlineData(new[] { float.NaN, -1f, float.NegativeInfinity }, 1, new[] { 1 })]
    [InlineData(new[] { float.NaN, float.NaN }, 1, new[] { 0 })]
    public void The_greatest_scores_are_chosen_lowest_id_first(float[] scores, int k, int[] expected)
    {
        var chosen = new int[k];
        RowMath.TopIds(scores, chosen);
        Assert.Equal(expected, chosen);
    }
}
