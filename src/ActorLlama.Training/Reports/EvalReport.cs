using ActorLlama.Protocol;

namespace ActorLlama.Training.Reports;

/// <summary>What an evaluation came to: means over all positions that count.</summary>
/// <param name="Step">The last training step before it.</param>
/// <param name="Loss">Cross entropy in nats per token, and z-loss.</param>
/// <param name="TotalWeights">Positions that count.</param>
/// <param name="ZLoss">Mean z-loss.</param>
/// <param name="MoeLbLoss">Mean load-balance loss of its batches.</param>
/// <param name="BytesPerToken">Bytes of text that a token stands for.</param>
public sealed record EvalReport(long Step, double Loss, long TotalWeights, double ZLoss, double MoeLbLoss, double BytesPerToken)
{
    public static EvalReport Of(RunProtocol.Evaluation evaluation) =>
        new(evaluation.Step, evaluation.Loss, evaluation.Tokens, evaluation.ZLoss, evaluation.LoadBalance, evaluation.BytesPerToken);

    public double Perplexity => Math.Exp(Loss);

    /// <summary>The loss per byte of text, which models with different tokenizers have in common.</summary>
    public double BitsPerByte => (Loss - ZLoss) / Math.Log(2) / BytesPerToken;
}
