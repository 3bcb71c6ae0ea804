using System.Globalization;
using ActorLlama.Planning.Placement;
using Spectre.Console;
using Spectre.Console.Rendering;
using Label = Spectre.Console.Text;

namespace ActorLlama.Cli;

/// <summary>A run on a terminal: where it is, its loss curve, its pace, memory, and how tokens are spread over the experts.</summary>
internal static class RunView
{
    private const int MostChartRows = 12, FewestChartRows = 4;

    /// <summary>Lines beside chart and map.</summary>
    private const int OtherRows = 5;

    public static IRenderable Of(RunProgress progress, int columns, int rows)
    {
        var map = progress.ExpertLoad;
        var mapRows = map is null || columns < ExpertMap.FewestColumns ? 0 : map.Layers.Length + 4;
        // The curve has priority: a map that leaves it no room is not drawn.
        if (rows - OtherRows - mapRows < FewestChartRows) mapRows = 0;
        var chartRows = Math.Clamp(rows - OtherRows - mapRows, FewestChartRows, MostChartRows);
        var parts = new List<IRenderable> { Fitted(Title(progress)) };
        var chart = LossChart.Lines(progress.Losses, columns, chartRows);
        if (chart.Count > 0) parts.Add(new Label(string.Join('\n', chart)));
        if (progress.Last is not null) parts.Add(Fitted(Pace(progress)));
        if (progress.Evaluation is { } evaluation)
            parts.Add(Fitted(Line($"held out after step {evaluation.Step}: loss {evaluation.Loss:F3}, {evaluation.BitsPerByte:F3} bits per byte")));
        if (!progress.Devices.IsDefaultOrEmpty)
            parts.Add(Fitted(string.Join("  ", progress.Devices.Select(d => $"{d.Name} {ByteText.Of(d.Used)} of {ByteText.Of(d.Total)}"))));
        if (mapRows > 0) parts.Add(map!.ToText(columns, "Tokens by layer and expert in the last step"));
        return new Rows(parts);

        Label Fitted(string text) => new(text.Length <= columns ? text : $"{text[..(columns - 1)]}…");
    }

    private static string Title(RunProgress progress) => progress.Last is not { } last
        ? Line($"{progress.Run.RunName}: step 0 of {progress.Steps}")
        : Line($"{progress.Run.RunName}: step {last.Step + 1} of {progress.Steps}, loss {last.Loss:F3}, learning rate {last.LearningRate:G3}, {Left(progress.TimeLeft!.Value)} left");

    private static string Pace(RunProgress progress) => Line(
        $"{progress.SecondsPerStep:F3} s a step, {progress.Run.TokensPerDevice / progress.SecondsPerStep:F0} tokens/s and {progress.Run.Flops.Total / progress.SecondsPerStep:F3} TFLOP/s a device");

    private static string Left(TimeSpan left) => left.TotalHours >= 1 ? Line($"{Math.Floor(left.TotalHours)} h {left.Minutes} min") : left.TotalMinutes >= 1 ? Line($"{left.Minutes} min {left.Seconds} s") : Line($"{left.TotalSeconds:F0} s");

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
