using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class LaneMathTests
{
    private static IEnumerable<float> Arguments(float from, float to, int count)
    {
        for (var i = 0; i <= count; i++) yield return from + (to - from) * i / count;
    }

    private static double UnitsInLastPlace(double exact, float actual)
    {
        var spacing = Math.Max(MathF.BitIncrement(MathF.Abs((float)exact)) - MathF.Abs((float)exact), float.Epsilon);
        return Math.Abs(actual - exact) / spacing;
    }

    [Fact]
    public void Exp_is_within_two_units_in_the_last_place()
    {
        foreach (var x in Arguments(-103.9f, 88.7f, 200_000)) Assert.InRange(UnitsInLastPlace(Math.Exp(x), LaneMath.Exp(x)), 0, 1.5);
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(-200f, 0f)]
    [InlineData(0f, 1f)]
    [InlineData(89f, float.PositiveInfinity)]
    [InlineData(1e30f, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_of_extremes(float x, float expected) => Assert.Equal(expected, LaneMath.Exp(x));

    [Fact]
    public void Sigmoid_and_silu_are_within_three_units_in_the_last_place()
    {
        foreach (var x in Arguments(-86f, 86f, 100_000))
        {
            var exact = 1 / (1 + Math.Exp(-x));
            Assert.InRange(UnitsInLastPlace(exact, LaneMath.Sigmoid(x)), 0, 3);
            Assert.InRange(UnitsInLastPlace(x * exact, LaneMath.Silu(Vector512.Create(x))[0]), 0, 4);
        }
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(0f, 0.5f)]
    [InlineData(float.NaN, float.NaN)]
    public void Sigmoid_of_extremes(float x, float expected) => Assert.Equal(expected, LaneMath.Sigmoid(x));

    [Fact]
    public void A_lane_does_not_depend_on_its_neighbours()
    {
        var values = Samples.Floats(1, 16, 20);
        fixed (float* p = values)
        {
            var whole = LaneMath.Silu(Vector512.Load(p));
            for (var count = 1; count <= 16; count++)
            {
                var tail = LaneMath.Silu(LaneMath.LoadTail(p, count));
                for (var i = 0; i < count; i++) Assert.Equal(whole[i], tail[i]);
            }
        }
    }

    [Fact]
    public void Lanes_are_summed_by_halves()
    {
        var v = Samples.Floats(2, 16);
        float Pair(int i) => v[i] + v[i + 8];
        var expected = ((Pair(0) + Pair(4)) + (Pair(2) + Pair(6))) + ((Pair(1) + Pair(5)) + (Pair(3) + Pair(7)));
        fixed (float* p = v) Assert.Equal(expected, LaneMath.Sum(Vector512.Load(p)));
    }
}
