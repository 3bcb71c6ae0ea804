namespace ActorLlama.Cli.Tests;

public sealed class LogitsComparisonTests
{
    private static readonly float[] s_golden = [1, 2, 3, -4, 0, 4];

    [Fact]
    public void Equal_rows_are_within()
    {
        var same = LogitsComparison.Of([[1, 2, 3], [-4, 0, 4]], s_golden, 3);
        Assert.Equal((0d, 0d, 0L, 1d), (same.MaxAbs, same.MeanAbs, same.Outside, same.ArgmaxAgreement));
        Assert.True(same.IsWithin(bfloat16: false));
    }

    [Theory]
    [InlineData(3.0007f, 0)]
    [InlineData(3.0009f, 1)]
    [InlineData(float.NaN, 1)]
    [InlineData(float.PositiveInfinity, 1)]
    public void A_value_is_outside_beyond_the_absolute_and_relative_tolerance(float value, long outside)
    {
        var found = LogitsComparison.Of([[1, 2, value], [-4, 0, 4]], s_golden, 3);
        Assert.Equal(outside, found.Outside);
        Assert.Equal(outside == 0, found.IsWithin(bfloat16: false));
        if (float.IsNaN(value)) Assert.False(found.IsWithin(bfloat16: true));
    }

    [Fact]
    public void Bfloat16_is_judged_by_its_statistics()
    {
        Assert.True(LogitsComparison.Of([[1, 2, 3.5f], [-4, 0, 4.5f]], s_golden, 3).IsWithin(bfloat16: true));
        // A mean of 0.25.
        Assert.False(LogitsComparison.Of([[1.25f, 2.25f, 3.25f], [-4.25f, 0.25f, 4.25f]], s_golden, 3).IsWithin(bfloat16: true));
        // One of two argmaxes.
        Assert.False(LogitsComparison.Of([[1, 2.51f, 2.5f], [-4, 0, 4]], s_golden, 3).IsWithin(bfloat16: true));
    }

    [Fact]
    public void Rows_of_another_model_are_refused() =>
        Assert.Throws<InvalidDataException>(() => LogitsComparison.Of([[1, 2], [3, 4]], s_golden, 3));
}
