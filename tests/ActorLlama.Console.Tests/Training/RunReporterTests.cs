using ActorLlama.Model;
using ActorLlama.TestKit;
using ActorLlama.Training.Reports;

namespace ActorLlama.Cli.Tests;

public sealed class RunReporterTests
{
    private static readonly LlamaConfig s_config = LlamaConfigReader.Read(File.ReadAllText(ProgramFiles.Shape("tiny-maverick")), "tiny-maverick").Config;
    private static readonly RunFigures s_run = new("r", 1000, new StepFlops(1, 1), 10, 8);

    [Fact]
    public void A_step_s_line_comes_with_the_next_step_or_before_a_save_or_at_the_end()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter { NewLine = "\n" };
        using (var metrics = new MetricsFile(folder.PathOf("m")))
        {
            var reporter = new RunReporter(s_run, s_config, 4, metrics, output, () => [("cpu:0", 1, 2)]);
            reporter.Begin();
            Assert.StartsWith("number parameters: 0.000 billion\nPer train step:\n", output.ToString(), StringComparison.Ordinal);
            output.GetStringBuilder().Clear();
            reporter.Stepped(Step(0), []);
            Assert.Equal("", output.ToString());
            reporter.Stepped(Step(1), []);
            Assert.Equal(["completed step: 0"], Lines(output));
            reporter.Saving(1);
            Assert.Equal(["completed step: 0", "completed step: 1"], Lines(output));
            reporter.Stepped(Step(2), []);
            reporter.Evaluated(new EvalReport(2, 3, 4, 0, 0, 1));
            reporter.End();
            Assert.Equal(["completed step: 0", "completed step: 1", "completed step: 2", "Completed eval after train step 2"], Lines(output));
        }
        var read = RunMetrics.Read(folder.PathOf("m"));
        Assert.Equal([0, 1, 2], read.Steps.Select(step => step.Step));
        Assert.Single(read.Evaluations);
    }

    [Fact]
    public void Who_watches_sees_pictures_and_only_the_last_line()
    {
        using var output = new StringWriter { NewLine = "\n" };
        var seen = new List<RunProgress>();
        var reporter = new RunReporter(s_run, s_config, 4, null, output, () => [("cpu:0", 1, 2)]) { Watcher = seen.Add };
        foreach (var step in (long[])[0, 1, 2])
        {
            reporter.Stepped(Step(step), new long[4 * 8]);
            reporter.Saving(step);
        }
        Assert.Equal("", output.ToString());
        reporter.End();
        Assert.Equal(["completed step: 2"], Lines(output));
        Assert.Equal([0, 1, 2], seen.Select(progress => progress.Last!.Step));
        Assert.Equal([1, 3, 5, 7], seen[^1].ExpertLoad!.Layers.AsEnumerable());
    }

    private static StepReport Step(long step) => new() { Step = step, Seconds = 1, Loss = 2, LmLoss = 2, TotalWeights = 10 };

    private static IEnumerable<string> Lines(StringWriter output) => output.ToString().TrimEnd('\n').Split('\n').Select(line => line.Split(',')[0]);
}
