using System.Xml.Linq;
using ActorLlama.TestKit;
using ActorLlama.Training.Reports;

namespace ActorLlama.Cli.Tests;

public sealed class PlotTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_run_is_drawn_with_its_losses_its_rate_and_its_speed()
    {
        var run = new RunFigures("night-run", 1000, new StepFlops(1, 1), 100, 4);
        using (var file = new MetricsFile(_folder.PathOf("metrics.jsonl")))
            for (var step = 0; step < 3000; step++)
            {
                file.Write(run, new StepReport { Step = step, Seconds = 1, Loss = 8 - step / 1000.0, LmLoss = 1, TotalWeights = 1, LearningRate = 1e-3 });
                if (step % 500 == 0) file.Write(run, new EvalReport(step, 9, 1, 0, 0, 4));
            }
        var ended = await InProcess.RunAsync(["plot", _folder.Path]);
        Assert.Equal((0, $"{_folder.PathOf("metrics.svg")}\n"), (ended.ExitCode, ended.Output));
        var texts = XDocument.Load(_folder.PathOf("metrics.svg")).Descendants().Where(element => element.Name.LocalName == "text").Select(element => element.Value).ToHashSet();
        foreach (var text in (string[])["night-run", "step", "loss", "learning rate", "tokens/s", "training", "held out", "3000"]) Assert.Contains(text, texts);

        var elsewhere = await InProcess.RunAsync(["plot", _folder.PathOf("metrics.jsonl"), "--out", _folder.PathOf("other.svg")]);
        Assert.Equal((0, true), (elsewhere.ExitCode, File.Exists(_folder.PathOf("other.svg"))));
    }

    [Fact]
    public void Many_steps_become_means_that_keep_their_place()
    {
        var points = RunPlot.Thinned([.. Enumerable.Range(0, 2500).Select(i => ((long)i, 2.0 * i))]).ToArray();
        Assert.Equal(834, points.Length);
        Assert.Equal((1, 2), points[0]);
        Assert.All(points, point => Assert.Equal(2 * point.Step, point.Value));
        Assert.Equal([(0, 5), (7, 6)], RunPlot.Thinned([(0, 5), (7, 6)]));
    }

    [Fact]
    public async Task What_is_no_run_is_named()
    {
        var ended = await InProcess.RunAsync(["plot", _folder.Path]);
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("metrics.jsonl\" does not exist", ended.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await InProcess.RunAsync(["plot", _folder.Path, "--out", "x.png"])).ExitCode);
    }
}
