namespace ActorLlama.Model.Tests;

public sealed class PhiloxTests
{
    /// <summary>Known answers of philox4x32-10 as published with Random123.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Words_equal_the_published_vectors(
        uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), Philox.Words((c0, c1, c2, c3), (k0, k1)));

    [Fact]
    public void Uniform_takes_53_bits_of_the_first_two_words()
    {
        // Key and counter zero: words 6627e8d5 and e169c58d.
        Assert.Equal((((0x6627e8d5ul >> 5) << 26) | (0xe169c58dul >> 6)) / 9007199254740992.0, Philox.Uniform(0, 0, 0));
        var numbers = Enumerable.Range(0, 4000).Select(position => Philox.Uniform(11, 3, (long)position << 31)).ToArray();
        Assert.All(numbers, number => Assert.InRange(number, 0, 1 - 1e-16));
        Assert.Equal(0.5, numbers.Average(), 0.02);
        Assert.Equal(4000, numbers.Distinct().Count());
    }
}
