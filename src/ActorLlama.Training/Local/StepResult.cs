using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Training;

namespace ActorLlama.Training;

/// <summary>What a batch came to, before anything was changed by it.</summary>
/// <param name="Loss">Mean over the tokens that count, with the load-balance loss.</param>
/// <param name="LmLoss">Without it.</param>
/// <param name="ZLoss">The z-loss within it.</param>
/// <param name="LoadBalance">The load-balance loss, weighted: mean over slots and MoE layers.</param>
/// <param name="TotalWeights">Tokens that count.</param>
/// <param name="ExpertTokens">Rows that each expert got, by MoE layer.</param>
public sealed record BatchLoss(
    double Loss, double LmLoss, double ZLoss, double LoadBalance, int TotalWeights, ImmutableArray<ImmutableArray<long>> ExpertTokens)
{
    public double Perplexity => Math.Exp(LmLoss);

    internal static BatchLoss Of(LlamaConfig config, StepSums sums) => new(
        sums.Loss, sums.LmLoss, sums.ZLoss / Math.Max(1, sums.Tokens), sums.LoadBalance, (int)sums.Tokens,
        [.. sums.ExpertRows.Chunk(Math.Max(1, config.Experts)).Select(layer => layer.ToImmutableArray())]);
}

/// <summary>One training step.</summary>
/// <param name="Batch">Its losses.</param>
/// <param name="RawGradNorm">Norm of the gradient of the mean loss.</param>
/// <param name="GradNorm">The same after clipping.</param>
/// <param name="ParamNorm">Norm of all parameters after the update.</param>
/// <param name="LearningRate">Rate of the update.</param>
/// <param name="NotFinite">Null; or what first was not finite, "loss" or a parameter whose gradient was not: then nothing was applied.</param>
public sealed record StepResult(BatchLoss Batch, double RawGradNorm, double GradNorm, double ParamNorm, double LearningRate, string? NotFinite)
{
    public double Loss => Batch.Loss;

    public double LmLoss => Batch.LmLoss;

    public int TotalWeights => Batch.TotalWeights;
}
