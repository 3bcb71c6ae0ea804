using ActorLlama.Protocol;

namespace ActorLlama.Training.Reports;

/// <summary>What a step came to (spec 7.2, 7.6). Losses are means over the positions that count.</summary>
public sealed record StepReport
{
    /// <summary>From 0.</summary>
    public required long Step { get; init; }

    /// <summary>How long it took.</summary>
    public required double Seconds { get; init; }

    /// <summary>What was minimised: <see cref="LmLoss"/>, <see cref="MoeLbLoss"/> included.</summary>
    public required double Loss { get; init; }

    /// <summary>Cross entropy and z-loss.</summary>
    public required double LmLoss { get; init; }

    public double ZLoss { get; init; }

    public double MoeLbLoss { get; init; }

    /// <summary>Positions that count.</summary>
    public required long TotalWeights { get; init; }

    /// <summary>Norm of the gradients as they were applied.</summary>
    public double GradNorm { get; init; }

    /// <summary>Their norm before clipping.</summary>
    public double RawGradNorm { get; init; }

    /// <summary>Norm of all parameters after the step.</summary>
    public double ParamNorm { get; init; }

    public double LearningRate { get; init; }

    /// <summary>What a trainer says of a step that it has applied.</summary>
    public static StepReport Of(long step, double seconds, StepResult result) => new()
    {
        Step = step,
        Seconds = seconds,
        Loss = result.Loss,
        LmLoss = result.LmLoss,
        ZLoss = result.Batch.ZLoss,
        MoeLbLoss = result.Batch.LoadBalance,
        TotalWeights = result.TotalWeights,
        GradNorm = result.GradNorm,
        RawGradNorm = result.RawGradNorm,
        ParamNorm = result.ParamNorm,
        LearningRate = result.LearningRate,
    };

    /// <summary>What a run's coordinator says of a step that all have applied.</summary>
    public static StepReport Of(RunProtocol.Step step) => new()
    {
        Step = step.Number,
        Seconds = step.Seconds,
        Loss = step.LmLoss + step.LoadBalance,
        LmLoss = step.LmLoss,
        ZLoss = step.ZLoss,
        MoeLbLoss = step.LoadBalance,
        TotalWeights = step.Tokens,
        GradNorm = step.GradNorm,
        RawGradNorm = step.RawGradNorm,
        ParamNorm = step.ParamNorm ?? double.NaN,
        LearningRate = step.LearningRate,
    };

    public double Perplexity => Math.Exp(LmLoss);
}
