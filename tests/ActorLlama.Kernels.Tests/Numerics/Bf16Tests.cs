using System.Runtime.Intrinsics;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class Bf16Tests
{
    [Theory]
    [InlineData(0x3f800000u, 0x3f80)] // 1
    [InlineData(0x3f808000u, 0x3f80)] // half way, to even: down
    [InlineData(0x3f818000u, 0x3f82)] // half way, to even: up
    [InlineData(0x3f808001u, 0x3f81)]
    [InlineData(0xbf807fffu, 0xbf80)]
    [InlineData(0x7f7fffffu, 0x7f80)] // beyond the greatest: infinity
    [InlineData(0xff800000u, 0xff80)]
    [InlineData(0x00000001u, 0x0000)]
    [InlineData(0x80000000u, 0x8000)]
    public void A_value_goes_to_the_nearest_ties_to_even(uint bits, int expected) => Assert.Equal(expected, Bf16.FromSingle(BitConverter.UInt32BitsToSingle(bits)));

    [Theory]
    [InlineData(0x7f800001u)]
    [InlineData(0x7fffffffu)]
    [InlineData(0xffffffffu)]
    public void NaN_stays_NaN(uint bits)
    {
        var nan = BitConverter.UInt32BitsToSingle(bits);
        Assert.True(float.IsNaN(Bf16.Round(nan)));
        Assert.True(float.IsNaN(Bf16.Round(Vector512.Create(nan))[3]));
    }

    [Fact]
    public void What_bfloat16_can_hold_comes_back_unchanged()
    {
        for (var i = 0; i <= ushort.MaxValue; i++)
        {
            var value = Bf16.ToSingle((ushort)i);
            if (!float.IsNaN(value)) Assert.Equal(i, Bf16.FromSingle(value));
        }
    }

    [Fact]
    public void Whole_vectors_and_ends_round_alike()
    {
        var values = Samples.Floats(1, 1003, 1000);
        var expected = Array.ConvertAll(values, Bf16.Round);
        fixed (float* p = values) Bf16.Round(p, values.Length);
        Samples.AssertSameBits(expected, values);
    }
}
