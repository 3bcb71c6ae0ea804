namespace ActorLlama.Kernels.Tests;

public sealed unsafe class NaNSearchTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_first_of_several_is_found_wherever_it_lies(bool isBf16)
    {
        const int count = (3 << 20) + 5;
        using var team = new ThreadTeam(3);
        var stored = Samples.Stored(new float[count], isBf16);
        var size = isBf16 ? 2 : 4;
        fixed (byte* p = stored)
        {
            Assert.Equal(-1, NaNSearch.First((nint)p, isBf16, count, team));
            foreach (var at in new[] { count - 1, count - 7, (2 << 20) + 33, 17, 0 })
            {
                new Span<byte>(p + (long)at * size, size).Fill(0xff);
                Assert.Equal(at, NaNSearch.First((nint)p, isBf16, count, team));
            }
        }
    }

    [Fact]
    public void Infinity_is_a_number()
    {
        using var team = new ThreadTeam(1);
        fixed (byte* p = Samples.Stored([.. Enumerable.Repeat(float.NegativeInfinity, 50)], true)) Assert.Equal(-1, NaNSearch.First((nint)p, true, 50, team));
    }
}
