namespace ActorLlama.Benchmarks.Fairness;

/// <summary>Milliseconds between tokens, over all sessions.</summary>
internal sealed record GapStatistics(int Count, double Median, double P99, double Max)
{
    public static GapStatistics Of(IEnumerable<Gap> gaps)
    {
        var sorted = gaps.Select(g => g.Millis).Order().ToArray();
        if (sorted.Length == 0) throw new InvalidDataException("Fairness: no token came while it was measured. Give it more time.");
        return new(sorted.Length, sorted[sorted.Length / 2], sorted[(int)((sorted.Length - 1) * 0.99)], sorted[^1]);
    }
}
