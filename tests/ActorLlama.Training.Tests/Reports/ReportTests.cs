using System.Text.Json;
using ActorLlama.TestKit;
using ActorLlama.Training.Reports;

namespace ActorLlama.Training.Tests.Reports;

public sealed class ReportTests : IDisposable
{
    private static readonly RunFigures s_run = new("run-1", 400_711_848_960, new StepFlops(99, 1), 2048, 128);

    private static readonly StepReport s_step = new()
    {
        Step = 3,
        Seconds = 0.5,
        Loss = 2.25,
        LmLoss = 2,
        ZLoss = 0.125,
        MoeLbLoss = 0.25,
        TotalWeights = 4096,
        GradNorm = 1,
        RawGradNorm = 4,
        ParamNorm = 10,
        LearningRate = 3e-5,
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_lines_are_MaxTexts()
    {
        Assert.Equal(
            ["number parameters: 400.712 billion", "Per train step:", " Total TFLOPs: 100.00 ", " split as 99.00% learnable weight flops and 1.00% attention flops"],
            ReportLines.Start(s_run));
        const string dense = "completed step: 3, seconds: 0.500, TFLOP/s/device: 200.000, Tokens/s/device: 4096.000, total_weights: 4096, loss: 2.250, lm_loss: 2.000, perplexity: 7.389";
        Assert.Equal($"{dense}, moe_lb_loss: 0.250000", ReportLines.Step(s_run, s_step));
        Assert.Equal(dense, ReportLines.Step(s_run with { Experts = 1 }, s_step));
        var evaluation = new EvalReport(3, 2, 100, 0.125, 0.5, 4);
        Assert.Equal(
            "Completed eval after train step 3, loss=2.000, perplexity=7.389, total_weights=100, avg_z_loss=0.125, avg_moe_lb_loss=0.500", ReportLines.Evaluation(s_run, evaluation));
        Assert.Equal(1.875 / Math.Log(2) / 4, evaluation.BitsPerByte, 1e-12);
    }

    [Fact]
    public void A_metrics_file_has_MaxTexts_keys_and_is_read_back()
    {
        using (var file = new MetricsFile(Metrics))
        {
            file.Write(s_run, s_step);
            file.Write(s_run, new EvalReport(3, 2, 100, 0.125, 0.5, 4));
        }
        var lines = File.ReadAllLines(Metrics);
        using var step = JsonDocument.Parse(lines[0]);
        Assert.Equal(
            ["learning/loss", "learning/lm_loss", "learning/perplexity", "learning/z_loss", "learning/moe_lb_loss", "learning/total_weights", "learning/grad_norm", "learning/raw_grad_norm",
                "learning/param_norm", "learning/current_learning_rate", "perf/step_time_seconds", "perf/per_device_tflops", "perf/per_device_tflops_per_sec", "perf/per_device_tokens",
                "perf/per_device_tokens_per_sec", "step", "run_name"],
            step.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal((200, 4096, "run-1"), (
            step.RootElement.GetProperty("perf/per_device_tflops_per_sec").GetDouble(), step.RootElement.GetProperty("perf/per_device_tokens_per_sec").GetDouble(),
            step.RootElement.GetProperty("run_name").GetString()));
        var read = RunMetrics.Read(Metrics);
        Assert.Equal("run-1", read.RunName);
        Assert.Equal([new(3, 2.25, 3e-5, 4096)], read.Steps.AsEnumerable());
        Assert.Equal([new(3, 2)], read.Evaluations.AsEnumerable());
    }

    [Fact]
    public void A_run_that_was_killed_in_a_line_and_resumed_is_read_whole_and_its_later_word_counts()
    {
        using (var file = new MetricsFile(Metrics))
            foreach (var step in (long[])[0, 1, 2]) file.Write(s_run, s_step with { Step = step, Loss = 9 - step });
        File.AppendAllText(Metrics, "{\"learning/loss\":1.2");
        using (var file = new MetricsFile(Metrics))
        {
            file.Write(s_run, s_step with { Step = 2, Loss = 1 });
            file.Write(s_run, s_step with { Step = 3, Loss = double.NaN });
        }
        File.AppendAllText(Metrics, "{\"lear");
        Assert.Equal([(0, 9), (1, 8), (2, 1), (3, double.NaN)], RunMetrics.Read(Metrics).Steps.Select(step => (step.Step, step.Loss)));
    }

    [Theory]
    [InlineData("{\"loss\":1}\n", "line 1 of")]
    [InlineData("[1]\n", "line 1 of")]
    [InlineData("", "tells of no step")]
    public void Other_files_are_refused(string text, string fault)
    {
        File.WriteAllText(Metrics, text);
        Assert.Contains(fault, Assert.Throws<InvalidDataException>(() => RunMetrics.Read(Metrics)).Message, StringComparison.Ordinal);
    }

    private string Metrics => _folder.PathOf("metrics.jsonl");
}
