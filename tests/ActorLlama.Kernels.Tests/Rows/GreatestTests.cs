namespace ActorLlama.Kernels.Tests;

public sealed class GreatestTests
{
    [Fact]
    public void The_lowest_index_of_the_greatest_number_is_found_whatever_the_length()
    {
        var random = new Random(4);
        for (var count = 0; count < 100; count++)
            for (var repeat = 0; repeat < 20; repeat++)
            {
                // Few values, so that the greatest occurs several times.
                var x = Enumerable.Range(0, count).Select(_ => (float)random.Next(-9, -2)).ToArray();
                Assert.Equal(count == 0 ? -1 : Array.IndexOf(x, x.Max()), Greatest.IndexIn(x));
            }
    }

    [Fact]
    public void Zeros_of_both_signs_are_equal_and_infinities_count()
    {
        Assert.Equal(1, Greatest.IndexIn([-1, -0f, 0f]));
        Assert.Equal(0, Greatest.IndexIn(Enumerable.Repeat(float.NegativeInfinity, 40).ToArray()));
        Assert.Equal(2, Greatest.IndexIn([1, 2, float.PositiveInfinity]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(40)]
    public void With_NaN_anywhere_there_is_none(int at)
    {
        var x = new float[41];
        x[at] = float.NaN;
        Assert.Equal(-1, Greatest.IndexIn(x));
        x[at] = BitConverter.UInt32BitsToSingle(0x7fc00001);
        Assert.Equal(-1, Greatest.IndexIn(x));
    }
}
