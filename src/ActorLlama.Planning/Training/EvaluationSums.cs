using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>What the held-out text comes to, batch after batch: sums over tokens, and of the batches' load-balance losses.</summary>
public sealed record EvaluationSums(double Loss, double ZLoss, double LoadBalance, long Tokens, long Batches)
{
    public static EvaluationSums None { get; } = new(0, 0, 0, 0, 0);

    /// <summary>With one batch more, whose losses are means over its tokens.</summary>
    public EvaluationSums With(double lmLoss, double zLoss, double loadBalance, long tokens) =>
        new(Loss + (lmLoss * tokens), ZLoss + (zLoss * tokens), LoadBalance + loadBalance, Tokens + tokens, Batches + 1);

    /// <summary>Means: over tokens, and over batches.</summary>
    public RunProtocol.Evaluation After(long step, double bytesPerToken) =>
        new(step, Loss / Math.Max(1, Tokens), Tokens, ZLoss / Math.Max(1, Tokens), LoadBalance / Math.Max(1, Batches), bytesPerToken);

    /// <summary>How many batches an evaluation has; <paramref name="wanted"/> below 1: all.</summary>
    public static long BatchesOf(long wanted, long there) => wanted < 1 ? there : Math.Min(wanted, there);
}
