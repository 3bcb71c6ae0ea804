using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace ActorLlama.Cli;

/// <summary>Samples as a picture, an SVG.</summary>
internal static class MemoryPlot
{
    /// <param name="file">Where it goes.</param>
    /// <param name="title">What it shows.</param>
    /// <param name="axis">What <see cref="MemorySample.At"/> counts.</param>
    /// <param name="samples">The samples.</param>
    public static void Write(string file, string title, string axis, IReadOnlyList<MemorySample> samples)
    {
        var plot = new PlotModel { Title = title, Background = OxyColors.White };
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.RightBottom });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = axis });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "MiB", Minimum = 0, Key = "mib" });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Right, Title = "handles, live tensors", Minimum = 0, Key = "count" });
        Add("private MiB", "mib", s => s.PrivateBytes / 1048576.0);
        Add("managed MiB", "mib", s => s.ManagedBytes / 1048576.0);
        Add("KV MiB", "mib", s => s.KvBytes / 1048576.0);
        Add("handles", "count", s => s.Handles);
        Add("live tensors", "count", s => s.Activations + s.Payloads);
        using var stream = File.Create(file);
        new SvgExporter { Width = 900, Height = 450 }.Export(plot, stream);

        void Add(string title, string axis, Func<MemorySample, double> of)
        {
            var line = new LineSeries { Title = title, YAxisKey = axis };
            line.Points.AddRange(samples.Select(s => new DataPoint(s.At, of(s))));
            plot.Series.Add(line);
        }
    }
}
