using System.Globalization;

namespace ActorLlama.Training.Reports;

/// <summary>MaxText's lines (spec 7.6), as its readers look for them.</summary>
public static class ReportLines
{
    /// <summary>What is told before the first step.</summary>
    public static IEnumerable<string> Start(RunFigures run)
    {
        yield return Line($"number parameters: {run.Parameters / 1e9:F3} billion");
        yield return "Per train step:";
        yield return Line($" Total TFLOPs: {run.Flops.Total:F2} ");
        yield return Line($" split as {100 * run.Flops.Learnable / run.Flops.Total:F2}% learnable weight flops and {100 * run.Flops.Attention / run.Flops.Total:F2}% attention flops");
    }

    public static string Step(RunFigures run, StepReport step) => string.Join(
        ", ",
        (IEnumerable<string>)
        [
            Line($"completed step: {step.Step}"),
            Line($"seconds: {step.Seconds:F3}"),
            Line($"TFLOP/s/device: {run.Flops.Total / step.Seconds:F3}"),
            Line($"Tokens/s/device: {run.TokensPerDevice / step.Seconds:F3}"),
            Line($"total_weights: {step.TotalWeights}"),
            Line($"loss: {step.Loss:F3}"),
            Line($"lm_loss: {step.LmLoss:F3}"),
            Line($"perplexity: {step.Perplexity:F3}"),
            .. run.HasExperts ? [Line($"moe_lb_loss: {step.MoeLbLoss:F6}")] : Array.Empty<string>(),
        ]);

    public static string Evaluation(RunFigures run, EvalReport evaluation) =>
        Line($"Completed eval after train step {evaluation.Step}, loss={evaluation.Loss:F3}, perplexity={evaluation.Perplexity:F3}, total_weights={evaluation.TotalWeights}, avg_z_loss={evaluation.ZLoss:F3}")
        + (run.HasExperts ? Line($", avg_moe_lb_loss={evaluation.MoeLbLoss:F3}") : "");

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
