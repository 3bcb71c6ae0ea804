namespace ActorLlama.Benchmarks;

internal static class Medians
{
    /// <summary>Of two in the middle the larger. Throws when there is no value.</summary>
    public static double Of(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
}
