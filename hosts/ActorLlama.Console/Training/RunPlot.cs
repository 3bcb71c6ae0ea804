using ActorLlama.Training.Reports;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace ActorLlama.Cli;

/// <summary>A run as a picture: loss above, learning rate and speed below it, over the same steps.</summary>
internal static class RunPlot
{
    private const string Loss = "loss", Rate = "learning rate", Speed = "tokens/s";
    private const int Width = 900, Height = 700;

    /// <summary>Most points of a line; where there are more steps, each point is the mean of neighbours.</summary>
    private const int MostPoints = 1000;

    /// <summary>Writes the picture as SVG.</summary>
    public static void Write(Stream stream, RunMetrics run)
    {
        var plot = new PlotModel { Title = run.RunName, Background = OxyColors.White };
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.RightTop });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "step", MajorGridlineStyle = LineStyle.Dot });
        AddAxis(Loss, 0.48, 1, null);
        AddAxis(Rate, 0.24, 0.44, 0);
        AddAxis(Speed, 0, 0.2, 0);
        AddLine("training", Loss, run.Steps.Select(step => (step.Step, step.Loss)), OxyColors.SteelBlue);
        if (!run.Evaluations.IsEmpty) AddLine("held out", Loss, run.Evaluations.Select(evaluation => (evaluation.Step, evaluation.Loss)), OxyColors.OrangeRed);
        AddLine(null, Rate, run.Steps.Select(step => (step.Step, step.LearningRate)), OxyColors.SeaGreen);
        AddLine(null, Speed, run.Steps.Select(step => (step.Step, step.TokensPerSecond)), OxyColors.SlateGray);
        new SvgExporter { Width = Width, Height = Height }.Export(plot, stream);

        void AddAxis(string title, double start, double end, double? least) => plot.Axes.Add(new LinearAxis
        {
            Position = AxisPosition.Left,
            Key = title,
            Title = title,
            StartPosition = start,
            EndPosition = end,
            Minimum = least ?? double.NaN,
            MajorGridlineStyle = LineStyle.Dot,
        });

        void AddLine(string? title, string axis, IEnumerable<(long Step, double Value)> points, OxyColor color)
        {
            var line = new LineSeries { Title = title, YAxisKey = axis, Color = color, StrokeThickness = 1.2 };
            line.Points.AddRange(Thinned([.. points]).Select(point => new DataPoint(point.Step, point.Value)));
            plot.Series.Add(line);
        }
    }

    /// <summary>At most <see cref="MostPoints"/> points: means of equally many neighbours, at the middle of their steps.</summary>
    internal static IEnumerable<(double Step, double Value)> Thinned(IReadOnlyList<(long Step, double Value)> points) => points
        .Chunk(Math.Max(1, (points.Count + MostPoints - 1) / MostPoints))
        .Select(chunk => (chunk.Average(point => (double)point.Step), chunk.Average(point => point.Value)));
}
