namespace ActorLlama.Training.Tests;

public sealed class LearningRatesTests
{
    [Fact]
    public void Cosine_rises_from_zero_and_ends_at_the_final_fraction()
    {
        var rates = new LearningRates(1e-2, 100);

        Assert.Equal(0, rates.At(0));
        Assert.Equal(5e-3, rates.At(5), 12);
        Assert.Equal(1e-2, rates.At(10), 12);
        Assert.Equal(1e-3, rates.At(99), 12);
        Assert.Equal(0, rates.At(100));
    }

    [Fact]
    public void Stable_stays_at_the_peak_until_the_last_tenth()
    {
        var rates = new LearningRates(1, 100, LearningRateShape.WarmupStableDecay);

        Assert.Equal(0, rates.At(0));
        Assert.All(Enumerable.Range(10, 80), update => Assert.Equal(1, rates.At(update)));
        Assert.Equal(1, rates.At(90), 12);
        Assert.Equal(0.1, rates.At(99), 12);
        Assert.Equal(0.9 / 9, rates.At(95) - rates.At(96), 12);
    }

    [Fact]
    public void A_mask_takes_weight_decay_off_the_parameters_it_matches()
    {
        var settings = new AdamSettings { WithoutDecay = ["norm"] };

        Assert.Equal(0, settings.DecayOf("text.layers.0.attn_norm.weight"));
        Assert.Equal(0.1, settings.DecayOf("text.embed.weight"));
        Assert.Equal(0.1, new AdamSettings().DecayOf("text.final_norm.weight"));
    }
}
