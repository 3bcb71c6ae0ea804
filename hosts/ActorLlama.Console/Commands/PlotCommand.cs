using System.ComponentModel;
using ActorLlama.Training.Reports;
using ActorLlama.Training.Runs;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama plot</c>: the course of a training run as an SVG.</summary>
internal sealed class PlotCommand : Command<PlotCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<RUN>")]
        [Description("A run's metrics_file, or its folder if the file is in it, as metrics.jsonl.")]
        public string Run { get; init; } = "";

        [CommandOption("--out <FILE>")]
        [Description("The picture to write, an .svg. Default: beside the metrics, with their name.")]
        public string? Out { get; init; }

        public override ValidationResult Validate() => Out is null || Path.GetExtension(Out) == ".svg"
            ? ValidationResult.Success()
            : ValidationResult.Error($"--out is \"{Out}\"; the picture is an .svg. Name it so.");
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var metrics = Directory.Exists(settings.Run) ? Path.Combine(settings.Run, RunFolder.MetricsName) : settings.Run;
        var picture = settings.Out ?? Path.ChangeExtension(metrics, ".svg");
        var run = RunMetrics.Read(metrics);
        using (var stream = new FileStream(picture, FileMode.Create, FileAccess.Write)) RunPlot.Write(stream, run);
        Console.Out.WriteLine(picture);
        return 0;
    }
}
