using Xunit;

namespace ActorLlama.TestKit;

/// <summary>Numeric comparison with the tolerance of the golden data: |a - b| &lt;= t + t·|b|.</summary>
public static class Close
{
    public const float Float32Tolerance = 2e-4f;

    public static void All(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what, float tolerance = Float32Tolerance)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} values, expected {expected.Length}.");
        var worst = -1;
        var worstExcess = 0f;
        for (var i = 0; i < expected.Length; i++)
        {
            var excess = MathF.Abs(actual[i] - expected[i]) - tolerance * (1 + MathF.Abs(expected[i]));
            // Not "excess > worst": NaN must fail.
            if (excess <= worstExcess) continue;
            (worst, worstExcess) = (i, excess);
            if (float.IsNaN(excess)) break;
        }
        Assert.True(worst < 0, worst < 0 ? "" : $"{what}: element {worst} is {actual[worst]}, expected {expected[worst]} within {tolerance}.");
    }
}
