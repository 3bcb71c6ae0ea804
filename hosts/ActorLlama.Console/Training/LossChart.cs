using System.Globalization;

namespace ActorLlama.Cli;

/// <summary>A curve of losses in characters: the newest at the right, the scale at the left.</summary>
internal static class LossChart
{
    private const int LabelColumns = 8;

    /// <summary>The chart's lines, from the top; none without a finite loss.</summary>
    /// <param name="losses">One for each step.</param>
    /// <param name="columns">Longest line. Where there are more losses than columns, each stands for the mean of neighbours.</param>
    /// <param name="rows">Lines; at least 2.</param>
    public static IReadOnlyList<string> Lines(IReadOnlyList<double> losses, int columns, int rows)
    {
        var width = Math.Max(1, columns - LabelColumns - 2);
        var perColumn = Math.Max(1, (losses.Count + width - 1) / width);
        var means = losses.Chunk(perColumn).Select(chunk => chunk.Average()).ToArray();
        var finite = means.Where(double.IsFinite).ToArray();
        if (finite.Length == 0) return [];
        var (least, most) = (finite.Min(), finite.Max());
        var lines = new List<string>();
        for (var row = 0; row < rows; row++)
        {
            var label = row == 0 ? Label(most) : row == rows - 1 ? Label(least) : "";
            lines.Add($"{label,LabelColumns} |{string.Concat(means.Select(mean => RowOf(mean) == row ? '*' : ' '))}".TrimEnd());
        }
        return lines;

        int RowOf(double mean) => !double.IsFinite(mean) ? -1 : most == least ? rows - 1 : (int)Math.Round((most - mean) / (most - least) * (rows - 1));
    }

    private static string Label(double loss) => loss.ToString("0.000", CultureInfo.InvariantCulture);
}
