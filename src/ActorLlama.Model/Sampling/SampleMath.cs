namespace ActorLlama.Model;

/// <summary>e^x from exactly rounded operations only, so that it has the same bits on every host.</summary>
internal static class SampleMath
{
    private const double Log2E = 1.4426950408889634, Ln2High = 0.693147180369123816490, Ln2Low = 1.90821492927058770002e-10;

    // 1/11!, 1/10! ... 1: |r| < 0.35, so twelve terms are exact to far below a float32's last place.
    private static ReadOnlySpan<double> Taylor =>
    [
        1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
    ];

    /// <summary>e^x for x at most 0, rounded to float32.</summary>
    public static float Exp(float x)
    {
        if (x < -104) return 0;
        var n = Math.Round(x * Log2E);
        var r = Math.FusedMultiplyAdd(-n, Ln2High, x) - n * Ln2Low;
        var sum = 0.0;
        foreach (var coefficient in Taylor) sum = Math.FusedMultiplyAdd(sum, r, coefficient);
        return (float)(sum * BitConverter.Int64BitsToDouble(((long)n + 1023) << 52));
    }
}
