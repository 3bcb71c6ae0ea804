using System.Globalization;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>
/// Two programs' logits of one prompt: per position the largest difference. The other program rounds activations to bfloat16 in its products, so values differ a
/// little, and at a few positions a router near a tie chooses otherwise.
/// </summary>
internal sealed record LogitsDifference(double Median, double Worst, double Spread)
{
    private const double MostOfSpread = 0.1;

    /// <summary>Over a prompt of random ids.</summary>
    public static async Task<LogitsDifference> OfAsync(IPeer ours, IPeer theirs, int tokens, int vocabulary)
    {
        var random = new Random(3);
        int[] prompt = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(vocabulary))];
        var (own, other) = (await ours.LogitsAsync(prompt), await theirs.LogitsAsync(prompt));
        double[] largest = [.. own.Zip(other, (a, b) => (double)a.Zip(b, (x, y) => Math.Abs(x - y)).Max()).Order()];
        return new LogitsDifference(largest[tokens / 2], largest[^1], own.Average(row => Math.Sqrt(row.Average(x => (double)x * x))));
    }

    /// <summary>Throws <see cref="InvalidDataException"/> when the two do not compute the same model.</summary>
    public void RequireSame()
    {
        // Written so that NaN fails.
        if (!(Median <= MostOfSpread * Spread))
            throw new InvalidDataException($"Bench: {this} More than {MostOfSpread:P0} of their spread: the programs do not compute the same model.");
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"Logits: largest difference {Median:0.0000} at the median position, {Worst:0.0000} at the worst; they spread by {Spread:0.00}.");
}
