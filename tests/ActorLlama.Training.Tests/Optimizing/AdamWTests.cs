using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training.Tests;

public sealed class AdamWTests
{
    [Fact]
    public void Three_updates_equal_the_formula_in_double()
    {
        TorchDevices.Check("cpu");
        using var scope = NewDisposeScope();
        var settings = new AdamSettings { EpsRoot = 1e-12 };
        float[][] gradients = [[0.5f, -2f, 0f, 3e-5f], [0.25f, 1f, 0f, -1e-5f], [-1f, 1f, 4f, 0f]];
        Tensor weight = tensor(new[] { 1f, -0.5f, 2f, 0.1f }), mean = zeros(4), variance = zeros(4);
        double[] w = [1, -0.5, 2, 0.1f], m = new double[4], v = new double[4];

        for (var t = 1; t <= 3; t++)
        {
            AdamW.Apply(weight, mean, variance, tensor(gradients[t - 1]), new AdamUpdate(settings, t, 0.01, settings.WeightDecay, 0.5));
            for (var i = 0; i < 4; i++)
            {
                var g = 0.5 * gradients[t - 1][i];
                (m[i], v[i]) = (0.9 * m[i] + 0.1 * g, 0.95 * v[i] + 0.05 * g * g);
                var (mHat, vHat) = (m[i] / (1 - Math.Pow(0.9, t)), v[i] / (1 - Math.Pow(0.95, t)));
                w[i] -= 0.01 * (mHat / (Math.Sqrt(vHat + 1e-12) + 1e-8) + 0.1 * w[i]);
            }
        }

        for (var i = 0; i < 4; i++) Assert.Equal(w[i], weight[i].item<float>(), 1e-6);
    }

    [Fact]
    public void A_range_gets_the_same_bits_wherever_it_is_cut()
    {
        TorchDevices.LimitThreads(1);
        using var scope = NewDisposeScope();
        random.manual_seed(1);
        Tensor weight = randn(1001), gradient = randn(1001) * 1e-3f, whole = weight.clone();
        var update = new AdamUpdate(new AdamSettings(), 1, 1e-3, 0.1, 0.3);
        AdamW.Apply(whole, zeros(1001), zeros(1001), gradient, update);

        foreach (var cut in new[] { 1, 7, 500, 993 })
        {
            var parts = weight.clone();
            AdamW.Apply(parts.narrow(0, 0, cut), zeros(cut), zeros(cut), gradient.narrow(0, 0, cut), update);
            AdamW.Apply(parts.narrow(0, cut, 1001 - cut), zeros(1001 - cut), zeros(1001 - cut), gradient.narrow(0, cut, 1001 - cut), update);
            Assert.True(parts.eq(whole).all().item<bool>(), $"cut at {cut}");
        }
    }
}
