using ActorLlama.Model;

namespace ActorLlama.Training.Reports;

/// <summary>MaxText's count of a step's floating-point operations on a device, in units of 10^12 (spec 7.5).</summary>
/// <param name="Learnable">Products with weights, forward and backward.</param>
/// <param name="Attention">Scores and their products with values.</param>
public readonly record struct StepFlops(double Learnable, double Attention)
{
    public double Total => Learnable + Attention;

    /// <param name="config">The model.</param>
    /// <param name="perDeviceBatch">Sequences of a microbatch on a device; may be a fraction.</param>
    /// <param name="length">Positions of a sequence.</param>
    /// <param name="accumulation">Microbatches of a step.</param>
    public static StepFlops Of(LlamaConfig config, double perDeviceBatch, int length, int accumulation)
    {
        double b = perDeviceBatch, s = length, d = config.HiddenSize, h = config.HeadDim;
        double Ffn(double hidden) => 6 * b * s * d * hidden;
        var moeLayers = config.IsMoe.Count(isMoe => isMoe);
        var dense = (config.Layers - moeLayers) * Ffn(config.DenseHidden);
        var moe = moeLayers * (2 * b * s * d * config.Experts + Ffn(config.ExpertHidden) * (1 + config.ExpertsPerToken));
        var qkv = config.Layers * 2 * b * s * d * (config.QueryHeads + 2 * config.KvHeads) * h;
        var projection = config.Layers * 2 * b * s * d * config.QueryHeads * h;
        var embedding = 2 * b * s * d * config.VocabSize;
        var attention = Enumerable.Range(0, config.Layers).Sum(layer => Scores(config.ChunkOf(layer) ?? length));
        return new StepFlops(accumulation * 3 * (dense + moe + qkv + projection + embedding) / 1e12, accumulation * 3 * attention / 2 / 1e12);

        double Scores(double chunk) => 4 * b * (Math.Floor(s / chunk) * chunk * chunk + s % chunk * (s % chunk)) * config.QueryHeads * h;
    }
}
