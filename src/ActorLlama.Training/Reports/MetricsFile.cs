using System.Text.Json;

namespace ActorLlama.Training.Reports;

/// <summary>
/// A run's <c>metrics_file</c>: a line of JSON for each step and each evaluation (spec 7.6), flushed as it is written. A run that is resumed writes on; where
/// lines speak of the same step, the last one counts.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    private static readonly JsonSerializerOptions s_numbers = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };
    private readonly StreamWriter _writer;

    /// <exception cref="IOException">The file cannot be written.</exception>
    public MetricsFile(string path)
    {
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        if (stream.Length > 0)
        {
            stream.Position = stream.Length - 1;
            // What a killed run left of a line ends here, or the next would be lost with it.
            if (stream.ReadByte() != '\n') stream.WriteByte((byte)'\n');
        }
        _writer = new StreamWriter(stream) { NewLine = "\n" };
    }

    public void Write(RunFigures run, StepReport step) => WriteLine(new Dictionary<string, object>
    {
        ["learning/loss"] = step.Loss,
        ["learning/lm_loss"] = step.LmLoss,
        ["learning/perplexity"] = step.Perplexity,
        ["learning/z_loss"] = step.ZLoss,
        ["learning/moe_lb_loss"] = step.MoeLbLoss,
        ["learning/total_weights"] = step.TotalWeights,
        ["learning/grad_norm"] = step.GradNorm,
        ["learning/raw_grad_norm"] = step.RawGradNorm,
        ["learning/param_norm"] = step.ParamNorm,
        ["learning/current_learning_rate"] = step.LearningRate,
        ["perf/step_time_seconds"] = step.Seconds,
        ["perf/per_device_tflops"] = run.Flops.Total,
        ["perf/per_device_tflops_per_sec"] = run.Flops.Total / step.Seconds,
        ["perf/per_device_tokens"] = run.TokensPerDevice,
        ["perf/per_device_tokens_per_sec"] = run.TokensPerDevice / step.Seconds,
        ["step"] = step.Step,
        ["run_name"] = run.RunName,
    });

    public void Write(RunFigures run, EvalReport evaluation) => WriteLine(new Dictionary<string, object>
    {
        ["eval/avg_loss"] = evaluation.Loss,
        ["eval/avg_perplexity"] = evaluation.Perplexity,
        ["eval/avg_z_loss"] = evaluation.ZLoss,
        ["eval/avg_moe_lb_loss"] = evaluation.MoeLbLoss,
        ["eval/total_weights"] = evaluation.TotalWeights,
        ["eval/bits_per_byte"] = evaluation.BitsPerByte,
        ["step"] = evaluation.Step,
        ["run_name"] = run.RunName,
    });

    public void Dispose() => _writer.Dispose();

    private void WriteLine(Dictionary<string, object> values)
    {
        _writer.WriteLine(JsonSerializer.Serialize(values, s_numbers));
        _writer.Flush();
    }
}
