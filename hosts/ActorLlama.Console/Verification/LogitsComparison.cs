namespace ActorLlama.Cli;

/// <summary>
/// Rows of logits against the golden ones: the numbers of fixtures/README.md. Float32 values must be close one by one; of bfloat16, where
/// routing flips make single values differ, statistics must.
/// </summary>
internal sealed record LogitsComparison(long Values, long Rows, double MaxAbs, double MeanAbs, long Outside, long ArgmaxAgree)
{
    private const double Float32Tolerance = 2e-4;
    private const double Bfloat16MeanAbs = 0.2;
    private const double Bfloat16Agreement = 0.85;

    public double ArgmaxAgreement => Rows == 0 ? 1 : ArgmaxAgree / (double)Rows;

    /// <summary>Rows of equal width, in the same order. Throws <see cref="InvalidDataException"/> when their number or width differs.</summary>
    public static LogitsComparison Of(IReadOnlyList<float[]> rows, ReadOnlySpan<float> golden, int width)
    {
        if ((long)rows.Count * width != golden.Length || rows.Any(r => r.Length != width))
            throw new InvalidDataException(
                $"Verify: {rows.Count} rows of {(rows.Count > 0 ? rows[0].Length : 0)} logits came, the golden file has {golden.Length / Math.Max(width, 1)} of {width}. "
                + "Use the golden file of this model.");
        double max = 0, sum = 0;
        long outside = 0, agree = 0;
        for (var r = 0; r < rows.Count; r++)
        {
            var expected = golden.Slice(r * width, width);
            for (var i = 0; i < width; i++)
            {
                double a = rows[r][i], b = expected[i];
                var difference = Math.Abs(a - b);
                // Written so that NaN is outside.
                if (!(difference <= Float32Tolerance + (Float32Tolerance * Math.Abs(b)))) outside++;
                max = Math.Max(max, double.IsNaN(difference) ? double.PositiveInfinity : difference);
                sum += double.IsNaN(difference) ? double.PositiveInfinity : difference;
            }

            if (ArgMax(rows[r]) == ArgMax(expected)) agree++;
        }

        return new LogitsComparison(golden.Length, rows.Count, max, golden.Length == 0 ? 0 : sum / golden.Length, outside, agree);
    }

    public bool IsWithin(bool bfloat16) => bfloat16
        ? MeanAbs <= Bfloat16MeanAbs && ArgmaxAgreement >= Bfloat16Agreement
        : Outside == 0;

    /// <summary>The lowest index of the largest value.</summary>
    internal static int ArgMax(ReadOnlySpan<float> row)
    {
        var best = 0;
        for (var i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }
}
