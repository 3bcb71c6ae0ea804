using ActorLlama.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// One update of a flat range of a parameter (spec 7.1). Each operation rounds each element once and by itself, so that a range's bits do not depend on where it was cut.
/// </summary>
internal static class AdamW
{
    // Temporaries of a piece stay in the cache.
    private const long PieceElements = 1 << 18;

    /// <summary>Updates weight and moments in place.</summary>
    /// <param name="weight">[n], float32 or bfloat16.</param>
    /// <param name="mean">[n], of the weight's type.</param>
    /// <param name="variance">[n], of the weight's type.</param>
    /// <param name="gradient">[n], float32; only read.</param>
    /// <param name="update">Constants and numbers of this update.</param>
    public static void Apply(Tensor weight, Tensor mean, Tensor variance, Tensor gradient, in AdamUpdate update)
    {
        using var noGrad = no_grad();
        var elements = weight.NumberOfElements;
        for (long at = 0; at < elements; at += PieceElements)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(PieceElements, elements - at);
            ApplyPiece(weight.narrow(0, at, count), mean.narrow(0, at, count), variance.narrow(0, at, count), gradient.narrow(0, at, count), update);
        }
    }

    private static void ApplyPiece(Tensor weight, Tensor mean, Tensor variance, Tensor gradient, in AdamUpdate update)
    {
        var (settings, count) = (update.Settings, update.Number);
        using Scalar factor = update.Factor, b1 = settings.B1, b2 = settings.B2, rest1 = 1 - settings.B1, rest2 = 1 - settings.B2;
        using Scalar bias1 = 1 - Math.Pow(settings.B1, count), bias2 = 1 - Math.Pow(settings.B2, count);
        using Scalar eps = settings.Eps, epsRoot = settings.EpsRoot, decay = update.WeightDecay, rate = update.LearningRate;
        var g = gradient.mul(factor);
        var m = Wide(mean).mul(b1).PlusInPlace(g.mul(rest1));
        var v = Wide(variance).mul(b2).PlusInPlace(g.mul(g).mul_(rest2));
        mean.copy_(m);
        variance.copy_(v);
        var root = v.div_(bias2);
        if (settings.EpsRoot != 0) root.PlusInPlace(epsRoot);
        var w = Wide(weight);
        var step = m.div_(bias1).div_(root.sqrt_().PlusInPlace(eps));
        if (update.WeightDecay != 0) step.PlusInPlace(w.mul(decay));
        weight.copy_(w.sub(step.mul_(rate)));
    }

    /// <summary>As float32; of a float32 tensor the tensor itself, which nothing here writes to.</summary>
    private static Tensor Wide(Tensor x) => x.dtype == ScalarType.Float32 ? x.alias() : x.to(ScalarType.Float32);
}

/// <summary>What one update of a range is made with.</summary>
/// <param name="Settings">Constants.</param>
/// <param name="Number">Number of this update, from 1.</param>
/// <param name="LearningRate">Rate.</param>
/// <param name="WeightDecay">Decay of this parameter.</param>
/// <param name="Factor">What the summed gradients are multiplied by: 1 / tokens, and clipping.</param>
internal readonly record struct AdamUpdate(AdamSettings Settings, long Number, double LearningRate, double WeightDecay, double Factor);
