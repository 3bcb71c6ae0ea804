namespace ActorLlama.Checkpoints;

/// <summary>
/// 65,536 equally probable values of a normal distribution of variance 1, ascending: entry i is the quantile of (i + ½) / 65,536. Sixteen
/// random bits choose one, which is finer than bfloat16 can tell nearly everywhere, and costs one table access per weight.
/// </summary>
internal static class NormalQuantiles
{
    public const int Count = 1 << 16;

    private static readonly Lazy<double[]> LazyPlain = new(() => Integrate(limit: 8));
    private static readonly Lazy<double[]> LazyTruncated = new(
        () => Array.ConvertAll(Integrate(limit: 2), value => value / TruncatedDeviation));

    /// <summary>Standard deviation of a unit normal cut at ±2 (spec 7.3).</summary>
    private const double TruncatedDeviation = 0.87962566;

    public static IReadOnlyList<double> Plain => LazyPlain.Value;

    /// <summary>Cut at ±2 of the original deviation, then scaled to variance 1.</summary>
    public static IReadOnlyList<double> Truncated => LazyTruncated.Value;

    /// <summary>Inverts the distribution function on ±limit by summing the density in 2^20 steps.</summary>
    private static double[] Integrate(double limit)
    {
        const int steps = 1 << 20;
        var width = 2 * limit / steps;
        var masses = new double[steps];
        for (var i = 0; i < steps; i++)
        {
            var middle = (i + 0.5 - steps / 2) * width;
            masses[i] = Math.Exp(-0.5 * middle * middle);
        }
        var total = masses.Sum();
        var quantiles = new double[Count];
        var (step, below) = (0, 0.0);
        // The lower half; the upper one mirrors it, so that the mean is exactly 0.
        for (var i = 0; i < Count / 2; i++)
        {
            var wanted = (i + 0.5) / Count * total;
            while (below + masses[step] < wanted) below += masses[step++];
            quantiles[i] = (step - steps / 2 + (wanted - below) / masses[step]) * width;
            quantiles[Count - 1 - i] = -quantiles[i];
        }
        return quantiles;
    }
}
